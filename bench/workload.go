package main

import (
	"context"
	"crypto/rand"
	"encoding/base64"
	"encoding/json"
	"fmt"
)

// workload makes the requests of one operation. Every request differs.
type workload struct {
	operation string
	body      func() []byte
}

// newWorkload prepares what an operation needs (a key, a ciphertext) through c.
func newWorkload(ctx context.Context, c *client, op string) (workload, error) {
	if op == "createkey" {
		return workload{"CreateKey", func() []byte {
			return []byte(`{"Description":"bench ` + nonce() + `"}`)
		}}, nil
	}
	key, err := createKey(ctx, c)
	if err != nil {
		return workload{}, err
	}
	switch op {
	case "encrypt":
		return workload{"Encrypt", func() []byte { return encryptBody(key) }}, nil
	case "decrypt":
		return newDecrypt(ctx, c, key)
	case "datakey":
		return workload{"GenerateDataKey", func() []byte {
			return []byte(`{"KeyId":"` + key + `","KeySpec":"AES_256","EncryptionContext":{"object":"` + nonce() + `"}}`)
		}}, nil
	case "describe":
		return workload{"DescribeKey", func() []byte { return []byte(`{"KeyId":"` + key + `"}`) }}, nil
	}
	return workload{}, fmt.Errorf("unknown operation %q", op)
}

func createKey(ctx context.Context, c *client) (string, error) {
	answer, err := c.call(ctx, "CreateKey", []byte(`{"Description":"bench"}`))
	if err != nil {
		return "", err
	}
	var created struct{ KeyMetadata struct{ KeyId string } }
	if err := json.Unmarshal(answer, &created); err != nil {
		return "", err
	}
	return created.KeyMetadata.KeyId, nil
}

func encryptBody(key string) []byte {
	plaintext := make([]byte, 64)
	rand.Read(plaintext)
	return []byte(`{"KeyId":"` + key + `","Plaintext":"` + base64.StdEncoding.EncodeToString(plaintext) +
		`","EncryptionContext":{"purpose":"bench"}}`)
}

// newDecrypt decrypts a stock of ciphertexts in turn.
func newDecrypt(ctx context.Context, c *client, key string) (workload, error) {
	var bodies [][]byte
	for range 256 {
		answer, err := c.call(ctx, "Encrypt", encryptBody(key))
		if err != nil {
			return workload{}, err
		}
		var encrypted struct{ CiphertextBlob string }
		if err := json.Unmarshal(answer, &encrypted); err != nil {
			return workload{}, err
		}
		bodies = append(bodies, []byte(`{"CiphertextBlob":"`+encrypted.CiphertextBlob+`","EncryptionContext":{"purpose":"bench"}}`))
	}
	next := make(chan int, 1)
	next <- 0
	return workload{"Decrypt", func() []byte {
		i := <-next
		next <- (i + 1) % len(bodies)
		return bodies[i]
	}}, nil
}

func nonce() string {
	b := make([]byte, 9)
	rand.Read(b)
	return base64.RawURLEncoding.EncodeToString(b)
}
