package imprint

import (
	"context"

	"gleaner/model/bundle"
	"gleaner/model/bundle/catalogue"
	"gleaner/model/flat"
)

// Backbone is the feature extractor that imprinting uses, at size pixels: the layers of the network that setup fetched into
// nativeDir, averaged and joined, and how pixels become its input.
func Backbone(ctx context.Context, nativeDir string, size int) (*flat.Model, bundle.Input, error) {
	_, net, err := openBackbone(ctx, nativeDir)
	if err != nil {
		return nil, bundle.Input{}, err
	}
	in := inputOf(size)
	m, err := catalogue.Backbone(net, DefaultMakeOptions().Tensors, in)
	return m, in, err
}
