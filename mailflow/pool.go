package mailflow

import "sync"

// doEach does a job for each of some things, so many at a time, and gives what
// came of each in their order. It returns when all are done.
func doEach[T any](things []T, atOnce int, job func(T) error) []error {
	errs, work := make([]error, len(things)), make(chan int)
	var all sync.WaitGroup
	for range min(atOnce, len(things)) {
		all.Go(func() {
			for i := range work {
				errs[i] = job(things[i])
			}
		})
	}
	for i := range things {
		work <- i
	}
	close(work)
	all.Wait()
	return errs
}
