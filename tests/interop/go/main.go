// Command interop is a real tRPC-Go server, or a real tRPC-Go client, of the service test.all.Everything.
package main

import (
	"fmt"
	"os"

	"trpc.group/trpc-go/trpc-go/log"
)

func main() {
	log.DefaultLogger.SetLevel("0", log.LevelFatal)
	switch {
	case len(os.Args) == 3 && os.Args[1] == "server":
		serve(os.Args[2])
	case len(os.Args) == 4 && os.Args[1] == "client":
		os.Exit(call(os.Args[2], os.Args[3]))
	case len(os.Args) == 3 && os.Args[1] == "hold":
		os.Exit(hold(os.Args[2]))
	default:
		fmt.Fprintln(os.Stderr, "usage: interop server ADDRESS | interop client ADDRESS PAIR | interop hold ADDRESS")
		os.Exit(2)
	}
}
