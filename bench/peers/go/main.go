// Go's net/http with golang-jwt.
package main

import (
	"encoding/json"
	"log"
	"net/http"
	"os"
	"strings"

	"github.com/golang-jwt/jwt"
)

var (
	key    = []byte(os.Getenv("JWT_SECRET_KEY"))
	parser = jwt.NewParser(jwt.WithValidMethods([]string{"HS256"}))
)

func reply(w http.ResponseWriter, status int, body map[string]string) {
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	if err := json.NewEncoder(w).Encode(body); err != nil {
		log.Print(err)
	}
}

func guarded(next http.HandlerFunc) http.HandlerFunc {
	keyOf := func(*jwt.Token) (interface{}, error) { return key, nil }
	return func(w http.ResponseWriter, r *http.Request) {
		text := strings.TrimPrefix(r.Header.Get("Authorization"), "Bearer ")
		claims := jwt.MapClaims{}
		_, err := parser.ParseWithClaims(text, claims, keyOf)
		if err != nil {
			reply(w, 401, map[string]string{"msg": err.Error()})
			return
		}
		if _, there := claims["exp"]; !there {
			reply(w, 401, map[string]string{"msg": "Missing claim: exp"})
			return
		}
		next(w, r)
	}
}

func main() {
	http.HandleFunc("/health", func(w http.ResponseWriter, r *http.Request) {
		reply(w, 200, map[string]string{"status": "ok"})
	})
	http.HandleFunc("/protected", guarded(
		func(w http.ResponseWriter, r *http.Request) {
			reply(w, 200, map[string]string{"message": "This is a " +
				"protected route, and you are authenticated!"})
		}))
	log.Fatal(http.ListenAndServe("127.0.0.1:"+os.Getenv("PORT"), nil))
}
