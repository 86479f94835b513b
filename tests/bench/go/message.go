package main

import (
	"bytes"
	"fmt"
	"io"

	"bench/pb"
)

// payload gives bytes that do not repeat soon, the same as the comparison's other side.
func payload(size int) []byte {
	state := uint32(0x9E3779B9)
	bytes := make([]byte, size)
	for i := range bytes {
		state ^= state << 13
		state ^= state >> 17
		state ^= state << 5
		bytes[i] = byte(state)
	}
	return bytes
}

// check sees that a message is the one that is expected.
func check(message *pb.EchoMessage, seq uint64, payload []byte) error {
	if message.Seq != seq {
		return fmt.Errorf("message %d came in place of %d", message.Seq, seq)
	}
	if !bytes.Equal(message.Payload, payload) {
		return fmt.Errorf("the payload of message %d is not what was sent", seq)
	}
	return nil
}

// readAll reads to the end and checks every message.
func readAll(s stream, count uint64, payload []byte) error {
	for seq := uint64(0); ; seq++ {
		message, err := s.recv()
		if err == io.EOF && seq == count {
			return nil
		}
		if err != nil {
			return fmt.Errorf("after %d of %d messages: %w", seq, count, err)
		}
		if err := check(message, seq, payload); err != nil {
			return err
		}
	}
}

// sendAll sends the messages and the end.
func sendAll(s stream, count uint64, payload []byte) error {
	for seq := uint64(0); seq < count; seq++ {
		if err := s.send(&pb.EchoMessage{Payload: payload, Seq: seq}); err != nil {
			return err
		}
	}
	return s.finish()
}

// counted sees that the messages of an upload come all, and gives how many they are.
func counted(recv func() (*pb.EchoMessage, error)) (*pb.EchoMessage, error) {
	var expected []byte
	for seq := uint64(0); ; seq++ {
		message, err := recv()
		if err == io.EOF {
			return &pb.EchoMessage{Seq: seq}, nil
		}
		if err != nil {
			return nil, err
		}
		if seq == 0 {
			expected = payload(len(message.Payload))
		}
		if err := check(message, seq, expected); err != nil {
			return nil, err
		}
	}
}
