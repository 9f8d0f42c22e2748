package abi

// Version is the version of this contract. A guest built for major version N
// runs on any host that offers N.
const Version = "1.0"

// Modules a guest may import from.
const (
	ModuleWASI    = "wasi_snapshot_preview1"
	ModuleHandler = "http_handler"
)

// Exports by which the host knows and calls a guest.
const (
	ExportStart          = "_start"
	ExportInitialize     = "_initialize"
	ExportMemory         = "memory"
	ExportHandleRequest  = "handle_request"
	ExportHandleResponse = "handle_response"
	// ExportResume is called, if there, after an instance was brought back to
	// its image and before the request is served, so that an SDK can draw fresh
	// randomness: () -> ().
	ExportResume = "cloche_resume"
)

// ExportPrefix starts the names that a guest may not export: they are the host's.
const ExportPrefix = "__cloche_"

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
	HeaderJob          = "x-cloche-job"
	HeaderAttempt      = "x-cloche-attempt"
	HeaderFuel         = "x-cloche-fuel"
)

// Prefixes of inbound headers that never come from a client.
const (
	HeaderPrefixNetlify = "x-nf-"
	HeaderPrefixCloche  = "x-cloche-"
)
