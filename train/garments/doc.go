// Package garments makes the data set that the demo's classifier learns from: pictures of Fashion-MNIST, as they are and as the demo's
// camera sees them on the drawn belt.
package garments
