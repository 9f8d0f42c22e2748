package abi

// FetchRequest is what a guest wants from elsewhere: rules 70 to 79 of ABI.md.
type FetchRequest struct {
	// Method is a token other than CONNECT and TRACE.
	Method string
	// URL is absolute, http or https.
	URL    string
	Header Header
	Body   []byte
	// Manual has a redirect returned instead of followed.
	Manual bool
}

// FetchResponse is a whole answer. Names in Header are in lower case.
type FetchResponse struct {
	// URL is where the answer came from, after redirects.
	URL    string
	Status int
	Header Header
	Body   []byte
}

// Limits of fetch. The body of a request is limited to RequestBodyBytes.
const (
	// FetchHeadBytes is the largest header of a request or an answer with its URL.
	FetchHeadBytes = 64 << 10
	// FetchBodyBytes is the largest body of an answer, decoded: 6 MiB.
	FetchBodyBytes = 6 << 20
	// FetchRedirects is how many are followed.
	FetchRedirects = 10
	// FetchOpen is how many answers an invocation may hold at a time.
	FetchOpen = 8
)

// FetchCode says in one word why there is no answer. A guest sees the number.
type FetchCode int32

// Fetch codes.
const (
	// FetchFailed: the other side could not be reached, or made no sense.
	FetchFailed FetchCode = -1
	// FetchRefused: the function may not call that address.
	FetchRefused FetchCode = -2
	// FetchInvalid: the request is malformed.
	FetchInvalid FetchCode = -3
	// FetchTooLarge: the request or the answer is over a limit.
	FetchTooLarge FetchCode = -4
	// FetchBusy: too many answers are open, or the host has no memory for one.
	FetchBusy FetchCode = -5
)

// FetchError is why there is no answer.
type FetchError struct {
	Code FetchCode
	// Message is for the guest's developer.
	Message string
}

func (e *FetchError) Error() string { return e.Message }
