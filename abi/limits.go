package abi

import "time"

// Limits that a guest or its client can meet. Netlify's are listed at
// https://docs.netlify.com/build/functions/overview/#default-deployment-options;
// the 10 seconds are the classic ones.
const (
	// RequestBodyBytes is the largest body of a synchronous request: 6 MiB.
	RequestBodyBytes = 6 << 20
	// BackgroundBodyBytes is the largest body of a background request: 256 KiB.
	BackgroundBodyBytes = 256 << 10
	// ResponseBodyBytes is the largest buffered answer: 6 MiB.
	ResponseBodyBytes = 6 << 20
	// ResponseFields and ResponseHeaderBytes bound an answer's header.
	ResponseFields      = 100
	ResponseHeaderBytes = 64 << 10
	// LogBytes is what one invocation may write to its log: 1 MiB, then a mark.
	LogBytes = 1 << 20

	// PageBytes is the unit of a linear memory.
	PageBytes = 64 << 10
	// MemoryPages is the default limit of a linear memory: 1024 MiB.
	MemoryPages = 16384
	// StackBytes is the default limit of nested calls: 16 MiB.
	StackBytes = 16 << 20
	// Timeout, BackgroundTimeout and ScheduledTimeout are the default deadlines.
	Timeout           = 10 * time.Second
	BackgroundTimeout = 15 * time.Minute
	ScheduledTimeout  = 30 * time.Second

	// ChainDepth is how deep calls and jobs may follow from one another: what a
	// client or a schedule starts has depth 0, what that starts 1.
	ChainDepth = 16
)
