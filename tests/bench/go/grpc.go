package main

import (
	"context"
	"net"

	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials/insecure"

	"bench/pb"
)

type grpcService struct {
	pb.UnimplementedEchoesServer
}

func (grpcService) Unary(_ context.Context, request *pb.EchoMessage) (*pb.EchoMessage, error) {
	return request, nil
}

func (grpcService) Download(request *pb.EchoMessage, s grpc.ServerStreamingServer[pb.EchoMessage]) error {
	for seq := uint64(0); seq < request.Seq; seq++ {
		if err := s.Send(&pb.EchoMessage{Payload: request.Payload, Seq: seq}); err != nil {
			return err
		}
	}
	return nil
}

func (grpcService) Upload(s grpc.ClientStreamingServer[pb.EchoMessage, pb.EchoMessage]) error {
	answer, err := counted(s.Recv)
	if err != nil {
		return err
	}
	return s.SendAndClose(answer)
}

func (grpcService) Talk(s grpc.BidiStreamingServer[pb.EchoMessage, pb.EchoMessage]) error {
	return echo(s.Recv, s.Send)
}

func serveGRPC(listener net.Listener) error {
	server := grpc.NewServer()
	pb.RegisterEchoesServer(server, grpcService{})
	return server.Serve(listener)
}

type grpcClient struct {
	pb.EchoesClient
}

func connectGRPC(address string) (conn, error) {
	conn, err := grpc.NewClient(address, grpc.WithTransportCredentials(insecure.NewCredentials()))
	return grpcClient{pb.NewEchoesClient(conn)}, err
}

func (c grpcClient) call(request *pb.EchoMessage) (*pb.EchoMessage, error) {
	return c.Unary(context.Background(), request)
}

func (c grpcClient) download(request *pb.EchoMessage) (stream, error) {
	s, err := c.Download(context.Background(), request)
	return grpcStream{download: s}, err
}

func (c grpcClient) upload(count uint64, payload []byte) (*pb.EchoMessage, error) {
	s, err := c.Upload(context.Background())
	if err != nil {
		return nil, err
	}
	for seq := uint64(0); seq < count; seq++ {
		if err := s.Send(&pb.EchoMessage{Payload: payload, Seq: seq}); err != nil {
			return nil, err
		}
	}
	return s.CloseAndRecv()
}

func (c grpcClient) talk() (stream, error) {
	s, err := c.Talk(context.Background())
	return grpcStream{download: s, talk: s}, err
}

// grpcStream has no writing half if it is a download.
type grpcStream struct {
	download grpc.ServerStreamingClient[pb.EchoMessage]
	talk     grpc.BidiStreamingClient[pb.EchoMessage, pb.EchoMessage]
}

func (s grpcStream) send(message *pb.EchoMessage) error { return s.talk.Send(message) }
func (s grpcStream) finish() error                      { return s.talk.CloseSend() }
func (s grpcStream) recv() (*pb.EchoMessage, error)     { return s.download.Recv() }
