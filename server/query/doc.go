// Package query owns AWS's Query protocol, which IAM and STS speak: requests are
// HTML forms whose fields are paths ("Tags.member.1.Key"), answers are XML.
//
// A form is turned into the JSON object that the same request would be in the
// JSON protocol, by the request's shape, so that package shape decodes and
// validates both. The package knows no operation and no HTTP.
package query
