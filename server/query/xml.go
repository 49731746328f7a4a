package query

import (
	"bytes"
	"encoding/xml"
	"time"
)

// List is a list in an answer: an element with a member for each entry, empty
// where there is none.
type List[T any] []T

// MarshalXML implements xml.Marshaler.
func (l List[T]) MarshalXML(e *xml.Encoder, start xml.StartElement) error {
	if err := e.EncodeToken(start); err != nil {
		return err
	}
	for i := range l {
		if err := e.EncodeElement(l[i], xml.StartElement{Name: xml.Name{Local: "member"}}); err != nil {
			return err
		}
	}
	return e.EncodeToken(start.End())
}

// Time is a timestamp in Unix milliseconds, in an answer: ISO 8601 to the second.
type Time int64

// MarshalText implements encoding.TextMarshaler.
func (t Time) MarshalText() ([]byte, error) {
	return time.UnixMilli(int64(t)).UTC().AppendFormat(nil, "2006-01-02T15:04:05Z"), nil
}

// Response writes the answer of an operation: nil where it has no output, or a
// struct whose fields are the result's elements.
func Response(out *bytes.Buffer, namespace, operation, requestID string, response any) error {
	e := xml.NewEncoder(out)
	start := xml.StartElement{
		Name: xml.Name{Local: operation + "Response"},
		Attr: []xml.Attr{{Name: xml.Name{Local: "xmlns"}, Value: namespace}},
	}
	if err := e.EncodeToken(start); err != nil {
		return err
	}
	if response != nil {
		if err := e.EncodeElement(response, xml.StartElement{Name: xml.Name{Local: operation + "Result"}}); err != nil {
			return err
		}
	}
	metadata := struct{ RequestId string }{requestID} //nolint:revive // the element's name
	if err := e.EncodeElement(metadata, xml.StartElement{Name: xml.Name{Local: "ResponseMetadata"}}); err != nil {
		return err
	}
	if err := e.EncodeToken(start.End()); err != nil {
		return err
	}
	return e.Close()
}

// errorResponse is the body of an exception.
type errorResponse struct {
	XMLName   xml.Name `xml:"ErrorResponse"`
	Namespace string   `xml:"xmlns,attr"`
	Type      string   `xml:"Error>Type"`
	Code      string   `xml:"Error>Code"`
	Message   string   `xml:"Error>Message"`
	RequestID string   `xml:"RequestId"`
}

// Exception writes the answer of a request that failed with an HTTP status.
func Exception(out *bytes.Buffer, namespace, requestID, code, message string, status int) {
	// Strings in a buffer: it cannot fail.
	_ = xml.NewEncoder(out).Encode(errorResponse{
		Namespace: namespace, Type: Sender(status), Code: code, Message: message, RequestID: requestID,
	})
}
