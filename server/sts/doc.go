// Package sts serves AWS's Security Token Service: who a caller is, and temporary
// credentials. Every operation is a plain function over a transaction.
//
// It is safe because temporary credentials are nothing but a sealed text
// (identity.Session): an answer that is lost leaves nothing behind, and whatever
// a session rests on is read again by each call that it signs.
package sts
