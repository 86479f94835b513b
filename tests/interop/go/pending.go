package main

import (
	"fmt"
	"sort"
	"strings"
	"sync"
)

// counted counts things by name, to say what is under way when something hangs.
type counted struct {
	mutex sync.Mutex
	names map[string]int
}

// begin counts a thing until the function it gives is called.
func (c *counted) begin(name string) func() {
	c.mutex.Lock()
	defer c.mutex.Unlock()
	if c.names == nil {
		c.names = map[string]int{}
	}
	c.names[name]++
	return func() {
		c.mutex.Lock()
		defer c.mutex.Unlock()
		c.names[name]--
	}
}

func (c *counted) String() string {
	c.mutex.Lock()
	defer c.mutex.Unlock()
	var all []string
	for name, count := range c.names {
		if count > 0 {
			all = append(all, fmt.Sprintf("%d of %s", count, name))
		}
	}
	sort.Strings(all)
	return strings.Join(all, ", ")
}

// waits are the operations of this client, running the handlers of this server.
var waits, running counted

func pending(what string) func() {
	return waits.begin(what)
}

// handler says when a handler begins, and when it ends.
func handler(name string) func() {
	end := running.begin(name)
	fmt.Println(name, "began")
	return func() {
		end()
		fmt.Println(name, "ended")
	}
}
