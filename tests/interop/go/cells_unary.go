package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"strconv"
	"strings"
	"time"

	"trpc.group/trpc-go/trpc-go/client"
	"trpc.group/trpc-go/trpc-go/codec"
	"trpc.group/trpc-go/trpc-go/errs"
	pb "trpc.group/trpc-go/trpc-go/testdata/trpc/helloworld"
	trpcpb "trpc.group/trpc/trpc-protocol/pb/go/trpc"
)

func unaryOf(size int) func(ctx context.Context, p peer) error {
	return func(ctx context.Context, p peer) error {
		sent := strings.Repeat("x", size)
		got, err := p.unary(ctx, "Unary", sent)
		return errors.Join(err, same(got, sent))
	}
}

var unaryCells = []cell{
	{"unary: ok", unaryOf(5)},
	{"unary: empty message", unaryOf(0)},
	{"unary: larger than the window", unaryOf(3_000_000)},
	{"unary: application error", func(ctx context.Context, p peer) error {
		_, err := p.unary(ctx, "Unary", "error 4001 the reason")
		return same(code(err), "app 4001 the reason")
	}},
	{"unary: framework error", func(ctx context.Context, p peer) error {
		_, err := p.unary(ctx, "Unary", "fail 51 the reason")
		return same(code(err), "frame 51 the reason")
	}},
	{"unary: unknown service", func(ctx context.Context, p peer) error {
		err := p.invoke(ctx, "test.all.Absent", "Unary", &pb.HelloRequest{}, &pb.HelloReply{})
		// Trill says which of the two is missing; a server of tRPC-Go says 12 to both.
		return same(errs.Code(err), 11)
	}},
	{"unary: unknown method", func(ctx context.Context, p peer) error {
		_, err := p.unary(ctx, "Missing", "")
		return same(errs.Code(err), 12)
	}},
	{"unary: metadata both ways", func(ctx context.Context, p peer) error {
		head := &trpcpb.ResponseProtocol{}
		got, err := p.unary(ctx, "Unary", "meta back there", client.WithMetaData("tenant", []byte("blue")), client.WithRspHead(head))
		return errors.Join(err, same(got, "tenant=blue"), same(string(head.TransInfo["back"]), "there"))
	}},
	{"unary: attachment both ways", func(ctx context.Context, p peer) error {
		attachment := client.NewAttachment(strings.NewReader("beside"))
		got, err := p.unary(ctx, "Unary", "attach", client.WithAttachment(attachment))
		if err != nil {
			return err
		}
		back, err := io.ReadAll(attachment.Response())
		return errors.Join(err, same(got, "6 bytes"), same(string(back), "beside"))
	}},
	{"unary: gzip, zlib, both snappy, lz4 frame", func(ctx context.Context, p peer) error {
		for _, compression := range interoperable {
			for _, sent := range []string{strings.Repeat("long ", 1000), ""} {
				got, err := p.unary(ctx, "Unary", sent, client.WithCompressType(compression))
				if err := errors.Join(err, same(got, sent)); err != nil {
					return fmt.Errorf("compression %d: %w", compression, err)
				}
			}
		}
		return nil
	}},
	{"unary: JSON", func(ctx context.Context, p peer) error {
		head := &trpcpb.ResponseProtocol{}
		asJSON := client.WithSerializationType(codec.SerializationTypeJSON)
		for _, sent := range []string{"gr\u00fc\u00df \"dich\"\n", "", strings.Repeat("long ", 1000)} {
			got, err := p.unary(ctx, "Unary", sent, asJSON, client.WithRspHead(head))
			if err := errors.Join(err, same(got, sent), same(head.ContentType, uint32(codec.SerializationTypeJSON))); err != nil {
				return err
			}
			got, err = p.unary(ctx, "Unary", sent, asJSON, client.WithCompressType(codec.CompressTypeGzip))
			if err := errors.Join(err, same(got, sent)); err != nil {
				return err
			}
		}
		_, err := p.unary(ctx, "Unary", "error 4001 the reason", asJSON)
		return same(code(err), "app 4001 the reason")
	}},
	{"unary: timeout, which the handler knows", func(ctx context.Context, p peer) error {
		left, err := p.unary(ctx, "Unary", "left", client.WithTimeout(5*time.Second))
		if number, wrong := strconv.Atoi(left); wrong != nil || number < 1 || number > 5000 {
			return errors.Join(err, fmt.Errorf("got %s", left))
		}
		return nil
	}},
	{"unary: timeout, which passes", func(ctx context.Context, p peer) error {
		_, err := p.unary(ctx, "Unary", "hang", client.WithTimeout(200*time.Millisecond))
		// A multiplexed client of tRPC-Go reports its own deadline as a failure to read.
		if got := errs.Code(err); got != 101 && got != 102 && got != 24 && !strings.Contains(fmt.Sprint(err), "deadline exceeded") {
			return fmt.Errorf("got %v", err)
		}
		_, err = p.unary(ctx, "Unary", "still there")
		return err
	}},
	{"unary: cancelled, and the next one is served", func(ctx context.Context, p peer) error {
		inner, cancel := context.WithCancel(ctx)
		time.AfterFunc(50*time.Millisecond, cancel)
		// A pooled client of tRPC-Go does not look at its context any more, and gets the answer.
		_, _ = p.unary(inner, "Unary", "sleep 300")
		got, err := p.unary(ctx, "Unary", "still there")
		return errors.Join(err, same(got, "still there"))
	}},
	{"unary: 1,000 calls at once", func(ctx context.Context, p peer) error {
		return atOnce(1000, func(i int) error {
			text := strconv.Itoa(i)
			got, err := p.unary(ctx, "Unary", text)
			return errors.Join(err, same(got, text))
		})
	}},
}

var onewayCells = []cell{
	{"one-way: ok", tells("news", "news")},
	{"one-way: empty message", tells("", "")},
	{"one-way: larger than the window", tells(strings.Repeat("x", 200_000), strings.Repeat("x", 200_000))},
	{"one-way: application error, which nobody gets", tells("error 4001 the first reason", "the first reason")},
	{"one-way: framework error, which nobody gets", tells("fail 51 the second reason", "the second reason")},
	{"one-way: unknown method, which nobody gets", func(ctx context.Context, p peer) error {
		if _, err := p.unary(ctx, "Missing", "news", client.WithSendOnly()); err != nil {
			return err
		}
		got, err := p.unary(ctx, "Unary", "still there")
		return errors.Join(err, same(got, "still there"))
	}},
	{"one-way: gzip, zlib, both snappy, lz4 frame", func(ctx context.Context, p peer) error {
		for _, compression := range interoperable {
			text := strings.Repeat("long ", 1000) + strconv.Itoa(compression)
			if err := tells(text, text, client.WithCompressType(compression))(ctx, p); err != nil {
				return fmt.Errorf("compression %d: %w", compression, err)
			}
		}
		return nil
	}},
	{"one-way: JSON", tells("as JSON", "as JSON", client.WithSerializationType(codec.SerializationTypeJSON))},
	{"one-way: metadata to the server", tells("meta back there", "tenant=blue", client.WithMetaData("tenant", []byte("blue")))},
}

// tells makes a one-way call, and asks until it has been obeyed: nothing orders it with the calls after it.
func tells(order, obeyed string, more ...client.Option) func(ctx context.Context, p peer) error {
	return func(ctx context.Context, p peer) error {
		if _, err := p.unary(ctx, "Notify", order, append(more, client.WithSendOnly())...); err != nil {
			return err
		}
		for {
			if told, err := p.unary(ctx, "Unary", "told"); err != nil || told == obeyed {
				return err
			}
		}
	}
}
