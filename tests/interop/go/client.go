package main

import (
	"context"
	"errors"
	"fmt"
	"io"

	"google.golang.org/protobuf/proto"

	"trpc.group/trpc-go/trpc-go/client"
	"trpc.group/trpc-go/trpc-go/codec"
	"trpc.group/trpc-go/trpc-go/errs"
	"trpc.group/trpc-go/trpc-go/stream"
	pb "trpc.group/trpc-go/trpc-go/testdata/trpc/helloworld"
)

// peer is a server to call, and how.
type peer struct {
	address string
	options []client.Option
	// hops is the number of connections between here and the server that answers.
	hops int
	// worker is the address of that server, where it is needed.
	worker string
}

func (p peer) message(ctx context.Context, service, method string) context.Context {
	ctx, msg := codec.WithCloneMessage(ctx)
	msg.WithClientRPCName("/" + service + "/" + method)
	msg.WithCalleeServiceName(service)
	msg.WithSerializationType(codec.SerializationTypePB)
	return ctx
}

// invoke calls a unary method of any service.
func (p peer) invoke(ctx context.Context, service, method string, req, rsp proto.Message, more ...client.Option) error {
	defer pending("an answer of " + method)()
	options := append([]client.Option{client.WithTarget("ip://" + p.address), client.WithProtocol("trpc")}, p.options...)
	return client.DefaultClient.Invoke(p.message(ctx, service, method), req, rsp, append(options, more...)...)
}

// start opens a stream of any service.
func (p peer) start(ctx context.Context, service, method string, fromClient, fromServer bool, more ...client.Option) (client.ClientStream, error) {
	defer pending("the opening of " + method)()
	desc := &client.ClientStreamDesc{StreamName: method, ClientStreams: fromClient, ServerStreams: fromServer}
	options := append([]client.Option{client.WithTarget("ip://" + p.address), client.WithProtocol("trpc")}, more...)
	return stream.DefaultStreamClient.NewStream(p.message(ctx, service, method), desc, "/"+service+"/"+method, options...)
}

// unary calls a method with one request and one answer.
func (p peer) unary(ctx context.Context, method, text string, more ...client.Option) (string, error) {
	rsp := &pb.HelloReply{}
	err := p.invoke(ctx, service, method, &pb.HelloRequest{Msg: text}, rsp, more...)
	return rsp.Msg, err
}

// upload opens a stream of requests with one answer.
func (p peer) upload(ctx context.Context, more ...client.Option) (client.ClientStream, error) {
	return p.start(ctx, service, "Upload", true, false, more...)
}

// download opens a stream of answers to one request.
func (p peer) download(ctx context.Context, text string, more ...client.Option) (client.ClientStream, error) {
	s, err := p.start(ctx, service, "Download", false, true, more...)
	if err != nil {
		return nil, err
	}
	return s, errors.Join(send(s, text), s.CloseSend())
}

// talk opens a stream of requests and answers.
func (p peer) talk(ctx context.Context, more ...client.Option) (client.ClientStream, error) {
	return p.start(ctx, service, "Talk", true, true, more...)
}

func send(s client.ClientStream, text string) error {
	defer pending("a write")()
	return s.SendMsg(&pb.HelloRequest{Msg: text})
}

func recv(s client.ClientStream) (string, error) {
	defer pending("a message or the end")()
	rsp := &pb.HelloReply{}
	err := s.RecvMsg(rsp)
	return rsp.Msg, err
}

// echo writes a text, and reads it back.
func echo(s client.ClientStream, text string) error {
	if err := send(s, text); err != nil {
		return err
	}
	got, err := recv(s)
	return errors.Join(err, same(got, text))
}

// ended reads the regular end of a stream.
func ended(s client.ClientStream) error {
	_, err := recv(s)
	return same(err, io.EOF)
}

func same[T comparable](got, want T) error {
	if got == want {
		return nil
	}
	text := fmt.Sprintf("got %v, want %v", got, want)
	if len(text) > 500 {
		text = text[:500] + "..."
	}
	return errors.New(text)
}

// code takes an error apart: framework or application, and the number.
func code(err error) string {
	var e *errs.Error
	for err != nil && errors.As(err, &e) {
		// A stream's end is wrapped in code 351; what is inside is the peer's.
		if cause := e.Unwrap(); cause != nil {
			var inner *errs.Error
			if errors.As(cause, &inner) {
				err = cause
				continue
			}
		}
		kind := "frame"
		if e.Type == errs.ErrorTypeBusiness {
			kind = "app"
		}
		return fmt.Sprintf("%s %d %s", kind, e.Code, e.Msg)
	}
	return fmt.Sprint(err)
}
