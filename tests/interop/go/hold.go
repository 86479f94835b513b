package main

import (
	"context"
	"fmt"
	"time"
)

// hold opens a stream and waits on it until it ends, then calls until somebody answers again. It says "open", "ended" and "back".
func hold(address string) int {
	ctx, p := context.Background(), peer{address: address}
	s, err := p.open(ctx, "Talk", true, true)
	if err == nil {
		err = send(s, "hello")
	}
	if err == nil {
		_, err = recv(s)
	}
	if err != nil {
		fmt.Println("failed:", err)
		return 1
	}
	fmt.Println("open")
	if _, err = recv(s); err == nil {
		fmt.Println("failed: a message came")
		return 1
	}
	fmt.Println("ended")
	for start := time.Now(); time.Since(start) < limit; time.Sleep(50 * time.Millisecond) {
		if _, err = p.unary(ctx, "Unary", "hello"); err == nil {
			fmt.Println("back")
			return 0
		}
	}
	fmt.Println("failed:", err)
	return 1
}
