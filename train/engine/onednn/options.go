package onednn

// Options say how the backend runs.
type Options struct {
	// Threads is how many threads work; 0: as many as there are processors for this process.
	Threads int
	// Library is oneDNN's shared library, a path or a name that the loader knows; empty: libdnnl.so.2.
	Library string
}
