/*
 * http.c - ordinary requests through libcurl.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include <criterion/criterion.h>
#include <curl/curl.h>
#include <jansson.h>

#include "http.h"

/* Longest wait for an answer (milliseconds). */
#define HTTP_WAIT_MS 20000L

static size_t take_body(char *, size_t, size_t, void *);
static size_t take_header(char *, size_t, size_t, void *);
static struct curl_slist *header_list(const struct http_request *);
static void set_up(CURL *, const struct http_request *, struct raw_response *);

/* Kept over the requests of a test, and with it its connection. */
static CURL *handle;

static size_t
take_body(char *data, size_t one, size_t n, void *arg)
{
	struct raw_response *out;
	char *bigger;

	out = arg;
	n *= one;
	bigger = realloc(out->body, out->body_len + n + 1);
	if (bigger == NULL)
		return (0);
	memcpy(bigger + out->body_len, data, n);
	out->body = bigger;
	out->body_len += n;
	bigger[out->body_len] = '\0';
	return (n);
}

/* One line of a head. A status line starts anew: interim answers are left. */
static size_t
take_header(char *data, size_t one, size_t n, void *arg)
{
	struct raw_response *out;
	struct raw_field *field;
	char *colon, *line;
	size_t len;

	out = arg;
	n *= one;
	len = n;
	while (len > 0 && (data[len - 1] == '\r' || data[len - 1] == '\n'))
		len--;
	if (len > 5 && memcmp(data, "HTTP/", 5) == 0) {
		raw_response_free(out);
		out->status = atoi(data + 9);
		return (n);
	}
	line = strndup(data, len);
	colon = line == NULL ? NULL : strchr(line, ':');
	if (colon != NULL && out->nfields < RAW_FIELDS_MAX) {
		*colon++ = '\0';
		field = &out->fields[out->nfields++];
		field->name = strdup(line);
		field->value = strdup(colon + strspn(colon, " \t"));
	}
	free(line);
	return (n);
}

/* The headers of a request, and none of those that libcurl would add. */
static struct curl_slist *
header_list(const struct http_request *request)
{
	const char *const *h;
	struct curl_slist *list;
	bool typed;

	list = curl_slist_append(NULL, "Expect:");
	list = curl_slist_append(list, "User-Agent:");
	typed = false;
	for (h = request->headers; h != NULL && *h != NULL; h++) {
		list = curl_slist_append(list, *h);
		if (strncasecmp(*h, "content-type", 12) == 0)
			typed = true;
	}
	if (!typed)
		list = curl_slist_append(list, "Content-Type:");
	return (list);
}

static void
set_up(CURL *curl, const struct http_request *request, struct raw_response *out)
{
	const char *method;

	method = request->method != NULL ? request->method : "GET";
	curl_easy_setopt(curl, CURLOPT_NOSIGNAL, 1L);
	curl_easy_setopt(curl, CURLOPT_NOPROXY, "*");
	curl_easy_setopt(curl, CURLOPT_TIMEOUT_MS, HTTP_WAIT_MS);
	curl_easy_setopt(curl, CURLOPT_PATH_AS_IS, 1L);
	curl_easy_setopt(curl, CURLOPT_HTTP_VERSION, CURL_HTTP_VERSION_1_1);
	curl_easy_setopt(curl, CURLOPT_WRITEFUNCTION, take_body);
	curl_easy_setopt(curl, CURLOPT_WRITEDATA, out);
	curl_easy_setopt(curl, CURLOPT_HEADERFUNCTION, take_header);
	curl_easy_setopt(curl, CURLOPT_HEADERDATA, out);
	if (request->body != NULL) {
		curl_easy_setopt(
		    curl, CURLOPT_POSTFIELDSIZE, (long)request->len);
		curl_easy_setopt(curl, CURLOPT_COPYPOSTFIELDS, request->body);
	}
	if (strcmp(method, "HEAD") == 0)
		curl_easy_setopt(curl, CURLOPT_NOBODY, 1L);
	curl_easy_setopt(curl, CURLOPT_CUSTOMREQUEST, method);
}

int
http_send(
    int port, const struct http_request *request, struct raw_response *out)
{
	struct raw_response answer;
	struct curl_slist *headers;
	char url[4096];
	CURLcode code;
	int status;

	if (handle == NULL)
		handle = curl_easy_init();
	if (handle == NULL)
		cr_assert_fail("libcurl cannot be set up");
	curl_easy_reset(handle);
	memset(&answer, 0, sizeof(answer));
	(void)snprintf(
	    url, sizeof(url), "http://127.0.0.1:%d%s", port, request->path);
	headers = header_list(request);
	curl_easy_setopt(handle, CURLOPT_URL, url);
	curl_easy_setopt(handle, CURLOPT_HTTPHEADER, headers);
	set_up(handle, request, &answer);
	code = curl_easy_perform(handle);
	curl_slist_free_all(headers);
	if (answer.body == NULL)
		answer.body = calloc(1, 1);
	status = code == CURLE_OK ? answer.status : 0;
	if (out != NULL)
		*out = answer;
	else
		raw_response_free(&answer);
	return (status);
}

int
http_get(int port, const char *path, const char *authorization,
    struct raw_response *out)
{
	const char *headers[2] = {NULL, NULL};
	struct http_request request;
	char *line;
	int status;

	memset(&request, 0, sizeof(request));
	request.path = path;
	line = NULL;
	if (authorization != NULL) {
		if (asprintf(&line, "Authorization: %s", authorization) == -1)
			cr_assert_fail("out of memory");
		headers[0] = line;
		request.headers = headers;
	}
	status = http_send(port, &request, out);
	free(line);
	return (status);
}

int
http_get_token(
    int port, const char *path, const char *token, struct raw_response *out)
{
	char *value;
	int status;

	if (asprintf(&value, "Bearer %s", token) == -1)
		cr_assert_fail("out of memory");
	status = http_get(port, path, value, out);
	free(value);
	return (status);
}

int
http_login(int port, const char *json, struct raw_response *out)
{
	static const char *const headers[] = {
	    "Content-Type: application/json", NULL};
	struct http_request request;

	memset(&request, 0, sizeof(request));
	request.method = "POST";
	request.path = "/login";
	request.headers = headers;
	request.body = json;
	request.len = strlen(json);
	return (http_send(port, &request, out));
}

char *
http_token_for(int port, const char *json)
{
	struct raw_response answer;
	const char *text;
	json_t *body;
	char *token;
	int status;

	status = http_login(port, json, &answer);
	body = json_loadb(answer.body, answer.body_len, 0, NULL);
	text = json_string_value(json_object_get(body, "access_token"));
	token = text == NULL ? NULL : strdup(text);
	json_decref(body);
	raw_response_free(&answer);
	if (status != 200 || token == NULL)
		cr_assert_fail("login answered %d", status);
	return (token);
}

char *
http_token(int port)
{
	return (http_token_for(port, DEMO_LOGIN));
}
