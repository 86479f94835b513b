// Command interop is a real tRPC-Go server, or a real tRPC-Go client, of the services test.all.Everything and test.shapes.Shapes.
package main

import (
	"fmt"
	"os"
	"strconv"

	"trpc.group/trpc-go/trpc-go/log"
)

func main() {
	log.DefaultLogger.SetLevel("0", log.LevelFatal)
	switch {
	case len(os.Args) == 3 && os.Args[1] == "server":
		serve(os.Args[2])
	case len(os.Args) == 5 && os.Args[1] == "client":
		hops, _ := strconv.Atoi(os.Args[4])
		os.Exit(call(os.Args[2], os.Args[3], hops))
	case len(os.Args) == 4 && os.Args[1] == "settings":
		os.Exit(settings(os.Args[2], os.Args[3]))
	case len(os.Args) == 5 && os.Args[1] == "hold":
		os.Exit(hold(os.Args[2], os.Args[3], os.Args[4]))
	case len(os.Args) == 5 && os.Args[1] == "cancel":
		os.Exit(cancelled(os.Args[2], os.Args[3], os.Args[4]))
	default:
		fmt.Fprintln(os.Stderr, "usage: interop server ADDRESS | client ADDRESS PAIR HOPS | settings ADDRESS PAIR | hold ADDRESS KIND WORKER | cancel ADDRESS KIND WHEN")
		os.Exit(2)
	}
}
