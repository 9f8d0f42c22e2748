// Package leak tests from outside that an invocation sees nothing of those
// before it, and that what is random is never the same twice. It knows the
// runtime as an embedder does, so it holds whatever the runtime does to be fast.
//
// The guests in testdata have state of every kind that their language has. The
// request header x-do says what they do:
//
//   - leak: look at everything that an earlier request might have left; then
//     leave the text of x-secret in all of it, unlike any other request's;
//   - leak grow: also grow the memory, which must be empty;
//   - leak close: then close or replace the standard descriptors;
//   - leak trap: then trap;
//   - random: draw from every generator there is.
//
// They answer words, separated by blanks. Words that begin with "!" are what
// should not be there; the others, such as counter=1, must be the same for every
// request that does the same. What is random has a name and a value, as in
// hasher=1f; names that begin with "fixed" are of generators with a seed of
// their own. The variable AT_INIT lists what is drawn before the first request:
// those names begin with "init".
//
// `make leak` sends 10,000 requests to each guest; LEAK=N chooses a number.
package leak
