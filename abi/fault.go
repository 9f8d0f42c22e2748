package abi

import "time"

// Fault says in one word why a request got no answer of the function's own. It
// is what logs, metrics and the error table of host/front share; the table
// alone knows the HTTP status.
type Fault string

// Faults of the request, before a function is called.
const (
	FaultBadRequest       Fault = "bad_request"
	FaultBadName          Fault = "bad_function_name"
	FaultForbidden        Fault = "forbidden"
	FaultUnknownFunction  Fault = "unknown_function"
	FaultMethod           Fault = "method_not_allowed"
	FaultSlowRequest      Fault = "request_timeout"
	FaultBodyTooLarge     Fault = "body_too_large"
	FaultURITooLong       Fault = "uri_too_long"
	FaultExpectation      Fault = "expectation_failed"
	FaultMisdirected      Fault = "misdirected"
	FaultHeadersTooLarge  Fault = "headers_too_large"
	FaultTransferCoding   Fault = "transfer_coding"
	FaultVersion          Fault = "http_version"
	FaultChainTooDeep     Fault = "chain_too_deep"
	FaultNotReady         Fault = "not_ready"
	FaultLedger           Fault = "ledger_unavailable"
	FaultHostBusy         Fault = "host_busy"
	FaultFunctionBusy     Fault = "function_busy"
	FaultClientBusy       Fault = "client_busy"
	FaultFunctionNotReady Fault = "load_failed"
)

// Faults of the guest, during an invocation.
const (
	FaultDeadline         Fault = "deadline"
	FaultFuel             Fault = "fuel"
	FaultTrap             Fault = "trap"
	FaultStack            Fault = "stack"
	FaultExit             Fault = "exit"
	FaultBadResponse      Fault = "bad_response"
	FaultResponseTooLarge Fault = "response_too_large"
	FaultCanceled         Fault = "canceled"
)

// FaultInternal is a broken invariant of the host's own.
const FaultInternal Fault = "internal"

// Faults are all there are, for those who count them.
func Faults() []Fault {
	return []Fault{
		FaultBadRequest, FaultBadName, FaultForbidden, FaultUnknownFunction, FaultMethod, FaultSlowRequest,
		FaultBodyTooLarge, FaultURITooLong, FaultExpectation, FaultMisdirected, FaultHeadersTooLarge,
		FaultTransferCoding, FaultVersion, FaultChainTooDeep, FaultNotReady, FaultLedger, FaultHostBusy, FaultFunctionBusy,
		FaultClientBusy, FaultFunctionNotReady,
		FaultDeadline, FaultFuel, FaultTrap, FaultStack, FaultExit, FaultBadResponse, FaultResponseTooLarge, FaultCanceled,
		FaultInternal,
	}
}

// Faulter is an error that knows its fault. Error() is fit for a client; Trace
// is for the log and for a developer, and may be "".
type Faulter interface {
	error
	Fault() Fault
	Trace() string
}

// Error is the plain Faulter, for what is not a guest's doing.
type Error struct {
	What    Fault
	Message string
	// Detail goes to the log and, in dev, to the client.
	Detail string
	// RetryAfter is sent with 429 and 503; 0 means a second.
	RetryAfter time.Duration
}

func (e *Error) Error() string { return e.Message }
func (e *Error) Fault() Fault  { return e.What }
func (e *Error) Trace() string { return e.Detail }

// ErrBodyTooLarge is what a Body returns once its limit is reached.
var ErrBodyTooLarge error = &Error{What: FaultResponseTooLarge, Message: "response body too large"}
