package main

import (
	"context"
	"errors"
	"fmt"

	"google.golang.org/protobuf/proto"

	"interop/shapes"
)

var shapesUnaryCells = []cell{
	{"unary: every shape of message, made by the server", func(ctx context.Context, p peer) error {
		for _, name := range samples {
			made := &shapes.Shape{}
			err := p.invoke(ctx, shapesService, "Sample", &shapes.Which{Name: name}, made)
			if err := errors.Join(err, sameShape(made, name)); err != nil {
				return err
			}
		}
		return nil
	}},
	{"unary: every shape of message, made by the client", func(ctx context.Context, p peer) error {
		for _, name := range samples {
			back := &shapes.Shape{}
			err := p.invoke(ctx, shapesService, "Echo", sample(name), back)
			if err := errors.Join(err, sameShape(back, name)); err != nil {
				return err
			}
		}
		return nil
	}},
}

var shapesStreamCells = []cell{
	{"bidi stream: every shape of message", func(ctx context.Context, p peer) error {
		s, err := p.start(ctx, shapesService, "Talk", true, true)
		if err != nil {
			return err
		}
		for _, name := range samples {
			back := &shapes.Shape{}
			if err := errors.Join(s.SendMsg(sample(name)), s.RecvMsg(back), sameShape(back, name)); err != nil {
				return err
			}
		}
		return errors.Join(s.CloseSend(), ended(s))
	}},
}

// sameShape compares a message with the sample of that name, field by field.
func sameShape(got *shapes.Shape, name string) error {
	if want := sample(name); !proto.Equal(got, want) {
		return fmt.Errorf("%s: got %.300s, want %.300s", name, got, want)
	}
	return nil
}
