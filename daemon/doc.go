// Package daemon is the runtime: one camera's loop, the pipeline that takes a frame the whole way to a verdict, the parts
// opened and closed in order, a bundle switched between two frames; and the same pipeline on a finite source (replay,
// bench, once). The rules of a verdict are in decide, the messages in event, how they travel in mqtt, the page in web, the
// numbers in metrics. It knows no configuration file and prints nothing.
//
// Long because the loop, the pipeline and their owner are one unit that replay, bench and once share whole: in packages of
// their own they would show each other everything.
package daemon
