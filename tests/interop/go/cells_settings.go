package main

import (
	"context"
	"errors"
	"strings"

	"trpc.group/trpc-go/trpc-go/client"
	"trpc.group/trpc-go/trpc-go/codec"
	trpcpb "trpc.group/trpc/trpc-protocol/pb/go/trpc"
)

// settings runs the cells that need a server with settings for tRPC-Go: gzip for all answers, and codes of the application in a normal CLOSE.
func settings(address, pair string) int {
	return exitCode(run(peer{address: address, hops: 1}, pair, "streams", settingsCells))
}

var settingsCells = []cell{
	{"unary: compressed as the server says", func(ctx context.Context, p peer) error {
		head := &trpcpb.ResponseProtocol{}
		sent := strings.Repeat("long ", 1000)
		got, err := p.unary(ctx, "Unary", sent, client.WithRspHead(head))
		return errors.Join(err, same(got, sent), same(head.ContentEncoding, uint32(codec.CompressTypeGzip)))
	}},
	{"client stream: application error with its code", func(ctx context.Context, p peer) error {
		s, err := p.upload(ctx)
		if err != nil {
			return err
		}
		if err := send(s, "error 4001 the reason"); err != nil {
			return err
		}
		_, err = recv(s)
		return same(code(err), "app 4001 the reason")
	}},
	{"server stream: application error with its code", func(ctx context.Context, p peer) error {
		s, err := p.download(ctx, "error 4001 the reason")
		if err != nil {
			return err
		}
		_, err = recv(s)
		return same(code(err), "app 4001 the reason")
	}},
	{"bidi stream: application error with its code", func(ctx context.Context, p peer) error {
		err := talkRefused(ctx, p, "error 4001 the reason", "one", "two")
		return same(code(err), "app 4001 the reason")
	}},
	{"bidi stream: framework error", func(ctx context.Context, p peer) error {
		return same(code(talkRefused(ctx, p, "fail 51 the reason")), "frame 51 the reason")
	}},
}
