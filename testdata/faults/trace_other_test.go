//go:build !(linux && amd64)

package faults

import "testing"

const tracerPid = "PARLEY_FAULTS_TRACER"

func runTracer() {}

// A trace is not possible here.
type trace struct{}

func needsTrace(t *testing.T) { t.Skip("needs ptrace of linux/amd64") }

func (g *gateway) trace(inject) (*trace, error) { panic("needsTrace skips") }
func (*trace) end() (count int, hit string)     { return 0, "" }
