package kms

// For tests that need more grants than there is time to make through the API.
var AddGrant = addGrant
