package abi

// Version is the version of this contract. A guest built for major version N
// runs on any host that offers N.
const Version = "1.0"

// Modules a guest may import from.
const (
	ModuleWASI    = "wasi_snapshot_preview1"
	ModuleHandler = "http_handler"
	// ModuleCloche is ours: what a guest is granted beyond the two standards.
	ModuleCloche = "cloche"
)

// Functions of ModuleCloche. Their types are in ABI.md, rules 70 to 79.
const (
	ImportFetch       = "fetch"
	ImportFetchStatus = "fetch_status"
	ImportFetchHead   = "fetch_head"
	ImportFetchBody   = "fetch_body"
	ImportFetchClose  = "fetch_close"
	ImportFetchError  = "fetch_error"
)

// Exports by which the host knows and calls a guest.
const (
	ExportStart          = "_start"
	ExportInitialize     = "_initialize"
	ExportMemory         = "memory"
	ExportHandleRequest  = "handle_request"
	ExportHandleResponse = "handle_response"
	// ExportResume, () -> (), is called before a request that does not find the
	// guest as it was started, but as it was once it was ready: the guest renews
	// what must not be the same for all requests, as its random numbers.
	ExportResume = "cloche_resume"
)

// ExportPrefix starts the names that a guest may not export: they are the host's.
const ExportPrefix = "__cloche_"

// NameBytes is the longest name of a function.
const NameBytes = 64

// ValidName reports whether name is one that Netlify serves: letters, digits,
// hyphen and underscore, at most NameBytes of them.
func ValidName(name string) bool {
	for _, c := range []byte(name) {
		if !('a' <= c && c <= 'z' || 'A' <= c && c <= 'Z' || '0' <= c && c <= '9' || c == '-' || c == '_') {
			return false
		}
	}
	return name != "" && len(name) <= NameBytes
}

// Protocols of the configuration key `protocol`: how a command is called.
const (
	// ProtocolEvent passes the event as JSON.
	ProtocolEvent = "event"
	// ProtocolCGI passes the request as RFC 3875 does.
	ProtocolCGI = "cgi"
)

// Values of the configuration key `isolation`: what the state is that an
// invocation finds.
const (
	// IsolationSnapshot is the state of a guest that has just got ready: an
	// instance is set back to it after each invocation.
	IsolationSnapshot = "snapshot"
	// IsolationFresh is the same state, of an instance made for the invocation.
	IsolationFresh = "fresh"
	// IsolationReuse is what the invocation before left behind: state leaks
	// between requests.
	IsolationReuse = "reuse"
)

// FunctionPath is where functions are found: https://docs.netlify.com/build/functions/get-started/.
const FunctionPath = "/.netlify/functions/"

// Headers that the host sets on every request; a client's own are dropped.
const (
	HeaderRequestID    = "x-nf-request-id"
	HeaderClientIP     = "client-ip"
	HeaderConnectionIP = "x-nf-client-connection-ip"
	HeaderForwardedFor = "x-forwarded-for"
	HeaderAccountID    = "x-nf-account-id"
	HeaderSiteID       = "x-nf-site-id"
)

// Headers that the host sets on requests that are jobs, and what a 202 says.
const (
	// HeaderJob is the id of the job, the same in every attempt.
	HeaderJob = "x-cloche-job"
	// HeaderAttempt counts from 1. An attempt that the host broke off is made again
	// under its number.
	HeaderAttempt = "x-cloche-attempt"
	// HeaderDepth is how many calls and jobs led to this one: 0 for what a client
	// or a schedule started.
	HeaderDepth = "x-cloche-depth"
	// HeaderEvent is "schedule" in what a schedule started.
	HeaderEvent = "x-nf-event"
)

// HeaderFuel is set on a response, in dev: what the invocation cost.
const HeaderFuel = "x-cloche-fuel"

// Prefixes of inbound headers that never come from a client.
const (
	HeaderPrefixNetlify = "x-nf-"
	HeaderPrefixCloche  = "x-cloche-"
	HeaderPrefixEvent   = "x-netlify-"
)
