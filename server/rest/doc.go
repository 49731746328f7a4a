// Package rest owns the protocol of Cofre's own API: what an operation's request
// is on the wire is its method, path and parameters, bodies are JSON, and so are
// errors, all of one shape.
//
// A request is turned into the JSON object that the same request would be in the
// JSON protocol, so that package shape decodes and validates both: its members
// are those of the body, or of the query string where the method has no body, and
// the parameters of the path. The package knows no operation, authenticates
// nobody and transacts nothing.
//
// # Adding a route
//
// A route is an operation like those of KMS (docs/adding-an-operation.md): a
// method over a transaction, whose request has a shape and whose record has
// structs of its own. Bind makes a row of its service's table:
//
//	rest.Bind[member](rest.Spec{
//		Name: "DescribeMember", ReadOnly: true, Method: "GET", Path: "/v1/members/{memberName}",
//		Summary: "Describe a member of the cluster",
//	}, memberShape(), s.describeMember)
//
// {memberName} is one segment of the path and a member of the shape; {path...}, at
// the end, is all that is left, with its slashes. The type parameter is what the
// answer is made of: it is encoded as JSON (nil is the empty object), whether
// the method answers it, or a call.Later does after the commit. An answer that is no
// JSON is a [Raw] or a [Stream].
//
// The operation asks authz.Authorizer.Permit for cofre:NAME; nothing is
// authorized before it runs. Everything else is done for it, as for every call: the
// signature (service name "cofre", any region of the cluster), quotas of its name,
// the record (eventSource "cofre"), the description at /v1/openapi.json. A path or
// method that is no route's is refused after authentication, with 404, and recorded
// as UnknownOperation without what the client wrote.
package rest
