package main

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"trpc.group/trpc-go/trpc-go/client"
)

// stoppedCells are those in which the server ends a stream whose writer waits for credit.
var stoppedCells = []cell{
	{"client stream: answered while the writer is blocked", func(ctx context.Context, p peer) error {
		s, err := p.upload(ctx)
		if err == nil {
			err = p.blockedUntil(ctx, s, "done")
		}
		if err != nil {
			return err
		}
		got, err := recv(s)
		return errors.Join(err, same(got, "1 messages, 4 bytes"))
	}},
	{"client stream: error while the writer is blocked", func(ctx context.Context, p peer) error {
		s, err := p.upload(ctx)
		if err == nil {
			err = p.blockedUntil(ctx, s, "error 4001 the reason")
		}
		if err != nil {
			return err
		}
		_, err = recv(s)
		return same(strings.Contains(fmt.Sprint(err), "the reason"), true)
	}},
	{"bidi stream: ended by the server while the writer is blocked", func(ctx context.Context, p peer) error {
		s, err := p.talk(ctx)
		if err == nil {
			err = p.blockedUntil(ctx, s, "done")
		}
		if err != nil {
			return err
		}
		got, err := recv(s)
		return errors.Join(err, same(got, "resumed"), ended(s))
	}},
	{"bidi stream: error while the writer is blocked", func(ctx context.Context, p peer) error {
		s, err := p.talk(ctx)
		if err == nil {
			err = p.blockedUntil(ctx, s, "error 4001 the reason")
		}
		if err != nil {
			return err
		}
		got, err := recv(s)
		if err := errors.Join(err, same(got, "resumed")); err != nil {
			return err
		}
		_, err = recv(s)
		return same(strings.Contains(fmt.Sprint(err), "the reason"), true)
	}},
}

// blockedUntil writes until there is no credit, and then lets the server obey an order that ends the stream. It wants the writer to be
// woken.
func (p peer) blockedUntil(ctx context.Context, s client.ClientStream, order string) error {
	if err := errors.Join(send(s, "wait"), send(s, order)); err != nil {
		return err
	}
	done, progress := writeMany(s)
	if err := bounded(ctx, progress.Load, p.hops); err != nil {
		return err
	}
	if _, err := p.unary(ctx, "Unary", "resume"); err != nil {
		return err
	}
	if err := <-done; err == nil {
		return errors.New("all was written")
	}
	return nil
}
