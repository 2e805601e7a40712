// Package labels reads what people say of pictures: a folder per class, the class in the file's name, COCO JSON, the two
// AI-Hub waste formats, and CSV or TSV lists. It finds the picture of each label, mends what can be mended (swapped corners,
// boxes past the edge), and lists what it left out and why; and it joins fine classes into coarse ones by a map with rules.
//
// It opens no picture: cutting crops out is train/dataset/importer's.
package labels
