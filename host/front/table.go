package front

import (
	"errors"

	"github.com/cloche-run/cloche/abi"
)

// row is what a client is told about a fault.
type row struct {
	status int
	// errorType follows AWS Lambda, whose names Netlify passes on:
	// https://docs.aws.amazon.com/lambda/latest/dg/runtimes-api.html
	errorType string
	// retry says that the same request may succeed later: it carries Retry-After.
	retry bool
}

// rowOf is the table of errors: the one place where a fault becomes a status.
func rowOf(fault abi.Fault) (row, bool) {
	switch fault {
	case abi.FaultBadRequest:
		return row{400, "Request.Invalid", false}, true
	case abi.FaultBadName:
		return row{400, "Function.InvalidName", false}, true
	case abi.FaultForbidden:
		return row{403, "Function.Forbidden", false}, true
	case abi.FaultUnknownFunction:
		return row{404, "Function.NotFound", false}, true
	case abi.FaultMethod:
		return row{405, "Request.MethodNotAllowed", false}, true
	case abi.FaultSlowRequest:
		return row{408, "Request.Timedout", false}, true
	case abi.FaultBodyTooLarge:
		return row{413, "Request.BodySizeTooLarge", false}, true
	case abi.FaultURITooLong:
		return row{414, "Request.TargetTooLong", false}, true
	case abi.FaultExpectation:
		return row{417, "Request.ExpectationFailed", false}, true
	case abi.FaultMisdirected:
		return row{421, "Request.Misdirected", false}, true
	case abi.FaultFunctionBusy:
		return row{429, "Function.Busy", true}, true
	case abi.FaultClientBusy:
		return row{429, "Client.Busy", true}, true
	case abi.FaultHeadersTooLarge:
		return row{431, "Request.HeaderSizeTooLarge", false}, true
	case abi.FaultInternal:
		return row{500, "Host.Internal", false}, true
	case abi.FaultTransferCoding:
		return row{501, "Request.TransferCodingUnknown", false}, true
	case abi.FaultFunctionNotReady:
		return row{502, "Runtime.InitError", false}, true
	case abi.FaultTrap:
		return row{502, "Runtime.Trap", false}, true
	case abi.FaultStack:
		return row{502, "Sandbox.StackExhausted", false}, true
	case abi.FaultExit:
		return row{502, "Runtime.ExitError", false}, true
	case abi.FaultBadResponse:
		return row{502, "Function.ResponseInvalid", false}, true
	case abi.FaultResponseTooLarge:
		return row{502, "Function.ResponseSizeTooLarge", false}, true
	case abi.FaultNotReady:
		return row{503, "Host.NotReady", true}, true
	case abi.FaultLedger:
		return row{503, "Host.LedgerUnavailable", true}, true
	case abi.FaultHostBusy:
		return row{503, "Host.Busy", true}, true
	case abi.FaultCanceled:
		return row{503, "Sandbox.Canceled", true}, true
	case abi.FaultDeadline:
		return row{504, "Sandbox.Timedout", false}, true
	case abi.FaultFuel:
		return row{504, "Sandbox.FuelExhausted", false}, true
	case abi.FaultVersion:
		return row{505, "Request.VersionNotSupported", false}, true
	case abi.FaultChainTooDeep:
		return row{508, "Function.ChainTooDeep", false}, true
	}
	return row{500, "Host.Internal", false}, false
}

// Status is the HTTP status an error is answered with: that of its fault's row,
// 500 for an error that is no abi.Faulter, 200 for nil.
func Status(err error) int {
	if err == nil {
		return 200
	}
	var faulter abi.Faulter
	if !errors.As(err, &faulter) {
		return 500
	}
	r, _ := rowOf(faulter.Fault())
	return r.status
}

// refusal makes the error of a request that goes no further.
func refusal(fault abi.Fault, message string) error {
	return &abi.Error{What: fault, Message: message}
}
