package abi

import (
	"encoding/base64"
	"strings"
)

// AppendEvent appends the Netlify v1 event for r to dst: the JSON that a
// command guest reads from its standard input. Rules 10 to 19 of ABI.md; the
// fields are those of Netlify's HandlerEvent,
// https://docs.netlify.com/build/functions/lambda-compatibility/.
func AppendEvent(dst []byte, r *Request) []byte {
	dst = append(dst, `{"path":`...)
	dst = appendString(dst, r.Path)
	dst = append(dst, `,"httpMethod":`...)
	dst = appendString(dst, r.Method)

	query := parseQuery(r.RawQuery)
	dst = append(dst, `,"queryStringParameters":`...)
	dst = appendJoined(dst, query, func(string) string { return ", " })
	dst = append(dst, `,"multiValueQueryStringParameters":`...)
	dst = appendLists(dst, query)

	header := group(r.Header)
	dst = append(dst, `,"headers":`...)
	dst = appendJoined(dst, header, Separator)
	dst = append(dst, `,"multiValueHeaders":`...)
	dst = appendLists(dst, header)

	dst = append(dst, `,"body":`...)
	contentType := r.Header.Get("content-type")
	isBase64 := needsBase64(contentType)
	dst = appendBody(dst, r.Body, contentType, isBase64)
	dst = append(dst, `,"isBase64Encoded":`...)
	dst = appendBool(dst, isBase64)

	dst = append(dst, `,"rawUrl":`...)
	dst = appendString(dst, r.URL())
	dst = append(dst, `,"rawQuery":`...)
	dst = appendString(dst, r.RawQuery)
	return append(dst, '}')
}

// URL is the absolute URL that the client asked for; an empty query leaves no "?".
func (r *Request) URL() string {
	url := r.Scheme + "://" + r.Host + r.Path
	if r.RawQuery != "" {
		url += "?" + r.RawQuery
	}
	return url
}

// needsBase64 reports whether a body of this content type travels as base64 in
// the event. It depends on the type alone, as Netlify's shouldBase64Encode does:
// text, JSON, XML, forms and scripts travel as text, all else as base64.
func needsBase64(contentType string) bool {
	mime, _, _ := strings.Cut(contentType, ";")
	mime = strings.ToLower(strings.TrimSpace(mime))
	if strings.HasPrefix(mime, "text/") || strings.HasSuffix(mime, "+json") || strings.HasSuffix(mime, "+xml") {
		return false
	}
	switch mime {
	case "application/csp-report", "application/graphql", "application/json", "application/javascript",
		"application/x-www-form-urlencoded", "application/x-ndjson", "application/xml":
		return false
	}
	return true
}

func appendBody(dst, body []byte, contentType string, isBase64 bool) []byte {
	switch {
	case isBase64:
		dst = append(dst, '"')
		dst = base64.StdEncoding.AppendEncode(dst, body)
		return append(dst, '"')
	case isLatin1(contentType):
		return appendString(dst, latin1(body))
	}
	return appendString(dst, body)
}

// isLatin1 finds the one charset besides UTF-8 that clients still send.
func isLatin1(contentType string) bool {
	_, params, _ := strings.Cut(strings.ToLower(contentType), ";")
	for param := range strings.SplitSeq(params, ";") {
		name, value, _ := strings.Cut(strings.TrimSpace(param), "=")
		if name == "charset" {
			value = strings.Trim(value, `"`)
			return value == "iso-8859-1" || value == "latin1"
		}
	}
	return false
}

func latin1(body []byte) string {
	var b strings.Builder
	b.Grow(len(body) + len(body)/8)
	for _, c := range body {
		b.WriteRune(rune(c))
	}
	return b.String()
}

// Separator is what the values of a repeated header are joined by: ", ", and
// "; " for cookies (RFC 9113 section 8.2.3).
func Separator(name string) string {
	if EqualFold(name, "cookie") {
		return "; "
	}
	return ", "
}

// appendJoined writes {"name":"v1, v2"}.
func appendJoined(dst []byte, groups []multi, separator func(string) string) []byte {
	dst = append(dst, '{')
	for i, g := range groups {
		dst = appendKey(dst, i, g.name)
		dst = appendString(dst, strings.Join(g.values, separator(g.name)))
	}
	return append(dst, '}')
}

// appendLists writes {"name":["v1","v2"]}.
func appendLists(dst []byte, groups []multi) []byte {
	dst = append(dst, '{')
	for i, g := range groups {
		dst = appendKey(dst, i, g.name)
		dst = append(dst, '[')
		for j, v := range g.values {
			if j > 0 {
				dst = append(dst, ',')
			}
			dst = appendString(dst, v)
		}
		dst = append(dst, ']')
	}
	return append(dst, '}')
}

func appendKey(dst []byte, i int, name string) []byte {
	if i > 0 {
		dst = append(dst, ',')
	}
	return append(appendString(dst, name), ':')
}
