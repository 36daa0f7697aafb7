/*
 * wscat: the tests' WebSocket client. It keeps to the protocol, except for what options tell it to
 * send. For many clients at once there is load. --help lists the options.
 *
 * It prints each text message as a line, and lines that start with "!" for the rest:
 *   ! close CODE REASON   ! http STATUS (then the body)   ! eof   ! timeout   ! bad WHAT
 * Exits with 0 when it got the messages asked for or a close, 1 refused, 2 timed out, 3 end of
 * file, 4 the server broke the protocol, 64 wrong usage.
 */

#include "common/clock.h"
#include "common/http_head.h"
#include "common/listen.h"
#include "common/ws_client.h"
#include "tests/harness/wscat_cases.h"

#include <getopt.h>
#include <signal.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>

enum { EXIT_HTTP = 1, EXIT_TIMEOUT, EXIT_EOF, EXIT_PROTOCOL, EXIT_USAGE = 64 };
enum { SENDS_MAX = 64 };

static struct {
  double timeout_s, no_read_s;
  long count; /* messages wanted; 0: until the close */
  int half_close, show_pings, show_pongs, no_pong, show_head, plain, bytewise, cases; /* flags */
  bool offers_protocol;
  struct buf headers;
  struct {
    const char *text;
    bool is_hex;
  } sends[SENDS_MAX];
  int send_count;
} options = {.timeout_s = 10};

static struct ws_client client = {.fd = -1};

static _Noreturn __attribute__((format(printf, 2, 3))) void quit(int status, const char *fmt, ...) {
  va_list args;
  va_start(args, fmt);
  if (*fmt) {
    vprintf(fmt, args);
    putchar('\n');
  }
  va_end(args);
  ws_client_done(&client);
  buf_done(&options.headers);
  exit(status);
}

/* Ends the program unless there is a result that it can go on with. */
static void expect(enum ws_client_result result, const char *bad) {
  switch (result) {
  case WS_CLIENT_OK:
    return;
  case WS_CLIENT_TIMEOUT:
    quit(EXIT_TIMEOUT, "! timeout");
  case WS_CLIENT_EOF:
    quit(EXIT_EOF, "! eof");
  case WS_CLIENT_BAD:
    quit(EXIT_PROTOCOL, "! bad %s", bad);
  }
}

/* What the server said before it hung up is still to be read. */
static void send_bytes(const void *data, size_t len) {
  if (ws_client_send(&client, data, len) == WS_CLIENT_TIMEOUT)
    quit(EXIT_TIMEOUT, "! timeout");
}

/* --- the handshake ---------------------------------------------------------------------------- */

/* Prints the response's body, whose first bytes may have come with the head. */
static _Noreturn void show_refusal(const char *head, size_t len, int status) {
  size_t digits;
  const char *length = http_head_find(head, len, "Content-Length", &digits);
  size_t left = length ? strtoul(length, NULL, 10) : SIZE_MAX, had;
  printf("! http %d\n", status);
  do {
    had = client.in.len - client.at;
    had = had < left ? had : left;
    fwrite(client.in.data + client.at, 1, had, stdout);
    client.at += had;
    left -= had;
  } while (left && ws_client_read(&client) == WS_CLIENT_OK);
  quit(EXIT_HTTP, "%s", length && left ? "\n! eof" : "");
}

static void shake_hands(const char *where, const char *target) {
  char key[WS_KEY_SIZE], accept[WS_ACCEPT_SIZE];
  cleanup_buf struct buf request = {0};
  const char *head, *wrong;
  size_t len;
  ws_key(key);
  ws_accept(key, accept);
  ws_request(&request, target, listen_is_unix(where) ? "localhost" : where, key,
             buf_text(&options.headers));
  send_bytes(request.data, request.len);
  if (options.half_close && !options.send_count)
    shutdown(client.fd, SHUT_WR);
  expect(ws_client_head(&client, &head, &len), "head");
  if (options.show_head)
    fwrite(head, 1, len, stdout);
  int status = http_head_status(head, len);
  if (!status)
    quit(EXIT_PROTOCOL, "! bad status line");
  if (status != 101)
    show_refusal(head, len, status);
  if ((wrong = ws_check(head, len, accept, options.offers_protocol)))
    quit(EXIT_PROTOCOL, "! bad %s", wrong);
}

/* --- frames ----------------------------------------------------------------------------------- */

static void send_frame(enum ws_opcode opcode, const char *payload, size_t len) {
  cleanup_buf struct buf frame = {0};
  ws_frame(&frame, opcode, payload, len);
  send_bytes(frame.data, frame.len);
}

static void send_hex(const char *hex) {
  cleanup_buf struct buf bytes = {0};
  unsigned byte;
  for (int used; sscanf(hex, " %2x%n", &byte, &used) == 1; hex += used)
    buf_chr(&bytes, (char)byte);
  send_bytes(bytes.data, bytes.len);
}

static void send_wanted(void) {
  for (int i = 0; i < options.send_count; i++)
    if (options.sends[i].is_hex)
      send_hex(options.sends[i].text);
    else
      send_frame(WS_TEXT, options.sends[i].text, strlen(options.sends[i].text));
  if (options.half_close && options.send_count)
    shutdown(client.fd, SHUT_WR);
}

static _Noreturn void on_close(const struct ws_frame *frame) {
  send_frame(WS_CLOSE, frame->payload, frame->len);
  int len = frame->len > 2 ? (int)frame->len - 2 : 0;
  printf("! close %d%s%.*s\n", ws_close_code(frame), len ? " " : "", len, frame->payload + 2);
  /* The server hangs up first, and sends nothing after its close frame. */
  if (client.in.len > client.at || ws_client_read(&client) == WS_CLIENT_OK)
    quit(EXIT_PROTOCOL, "! bad bytes after the close");
  quit(0, "%s", "");
}

/* Takes one frame; returns how many text messages that were. */
static int take_frame(void) {
  struct ws_frame frame;
  enum ws_client_result result = ws_client_frame(&client, &frame);
  if (result == WS_CLIENT_BAD)
    quit(EXIT_PROTOCOL, "! bad frame: %s", frame.error);
  expect(result, "");
  if (!frame.is_final || frame.opcode == WS_CONTINUATION || frame.opcode == WS_BINARY)
    quit(EXIT_PROTOCOL, "! bad frame: wsd sends whole texts"); /* a client would have to take it */
  switch (frame.opcode) {
  case WS_PING:
    if (options.show_pings)
      puts("! ping");
    if (!options.no_pong)
      send_frame(WS_PONG, frame.payload, frame.len);
    return 0;
  case WS_PONG:
    if (options.show_pongs)
      printf("! pong %.*s\n", (int)frame.len, frame.payload);
    return 0;
  case WS_CLOSE:
    on_close(&frame);
  default:
    fwrite(frame.payload, 1, frame.len, stdout);
    putchar('\n');
    return 1;
  }
}

/* --- plain ------------------------------------------------------------------------------------ */

/* How many HTTP responses have begun in what came. */
static long count_responses(const char *data, size_t len) {
  static const char start[] = "HTTP/1.";
  long count = 0;
  const char *at = data, *end = data + len;
  while ((at = memmem(at, (size_t)(end - at), start, sizeof(start) - 1))) {
    count++;
    at += sizeof(start) - 1;
  }
  return count;
}

/* Sends standard input as it is, and prints what comes back until the end of file or the timeout.
 * Once as many responses as --count says have begun, what may follow them gets AFTER_MS. */
static _Noreturn void run_plain(void) {
  enum { AFTER_MS = 200 };
  static char data[1 << 20];
  enum ws_client_result result = WS_CLIENT_OK;
  size_t len = fread(data, 1, sizeof(data), stdin), step = options.bytewise ? 1 : len;
  for (size_t at = 0; at < len && result == WS_CLIENT_OK; at += step)
    result = ws_client_send(&client, data + at, step);
  while ((result = ws_client_read(&client)) == WS_CLIENT_OK)
    if (options.count && count_responses(client.in.data, client.in.len) >= options.count)
      client.deadline_ms = clock_monotonic_ms() + AFTER_MS;
  fwrite(buf_text(&client.in), 1, client.in.len, stdout);
  quit(0, "%s", result == WS_CLIENT_EOF ? "\n! eof" : "");
}

/* --- options ---------------------------------------------------------------------------------- */

static _Noreturn void usage(int status) {
  fputs(
      "usage: wscat [OPTION...] URL\n"
      "A URL is ws://HOST[:PORT][/PATH] or unix:SOCKET[:/PATH].\n"
      "  --timeout S      give up after S seconds (10)\n"
      "  --count N        end after N text messages; with --plain: soon after N HTTP responses\n"
      "  --origin O, --header 'X: y'\n"
      "                   more headers of the request\n"
      "  --send TEXT, --raw HEX\n"
      "                   what to send once the connection is open, in this order\n"
      "  --no-read S      wait S seconds before reading anything but the handshake's response\n"
      "  --half-close     end our side after the request and what is to be sent\n"
      "  --no-pong        answer no ping\n"
      "  --head, --pings, --pongs\n"
      "                   print these as well\n"
      "  --plain          no handshake: send standard input, print what comes back\n"
      "  --cases          send each row of frames.def on a connection of its own\n"
      "  --bytewise       with --plain or --cases: in portions of one byte\n",
      status ? stderr : stdout);
  quit(status, "%s", "");
}

static void add_header(const char *name, const char *value) {
  buf_printf(&options.headers, "%s%s\r\n", name, value);
  options.offers_protocol |= strncasecmp(value, "Sec-WebSocket-Protocol:", 23) == 0;
}

static void add_send(const char *text, bool is_hex) {
  if (options.send_count == SENDS_MAX)
    usage(EXIT_USAGE);
  options.sends[options.send_count].text = text;
  options.sends[options.send_count++].is_hex = is_hex;
}

enum { TIMEOUT = 256, NO_READ, COUNT, ORIGIN, HEADER, SEND, RAW, HELP };

static const struct option names[] = {
    {"timeout", 1, NULL, TIMEOUT},
    {"no-read", 1, NULL, NO_READ},
    {"count", 1, NULL, COUNT},
    {"origin", 1, NULL, ORIGIN},
    {"header", 1, NULL, HEADER},
    {"send", 1, NULL, SEND},
    {"raw", 1, NULL, RAW},
    {"help", 0, NULL, HELP},
    {"half-close", 0, &options.half_close, true},
    {"pings", 0, &options.show_pings, true},
    {"pongs", 0, &options.show_pongs, true},
    {"no-pong", 0, &options.no_pong, true},
    {"head", 0, &options.show_head, true},
    {"plain", 0, &options.plain, true},
    {"bytewise", 0, &options.bytewise, true},
    {"cases", 0, &options.cases, true},
    {0},
};

/* Returns the URL. */
static const char *take_options(int argc, char **argv) {
  for (int option; (option = getopt_long(argc, argv, "", names, NULL)) != -1;)
    switch (option) {
    case 0: /* a flag */
      break;
    case TIMEOUT:
      options.timeout_s = strtod(optarg, NULL);
      break;
    case NO_READ:
      options.no_read_s = strtod(optarg, NULL);
      break;
    case COUNT:
      options.count = strtol(optarg, NULL, 10);
      break;
    case ORIGIN:
      add_header("Origin: ", optarg);
      break;
    case HEADER:
      add_header("", optarg);
      break;
    case SEND:
    case RAW:
      add_send(optarg, option == RAW);
      break;
    default:
      usage(option == HELP ? 0 : EXIT_USAGE);
    }
  if (optind != argc - 1)
    usage(EXIT_USAGE);
  return argv[optind];
}

int main(int argc, char **argv) {
  cleanup_buf struct buf where = {0};
  const char *url = take_options(argc, argv), *target, *error;
  setvbuf(stdout, NULL, _IOLBF, 0);
  signal(SIGPIPE, SIG_IGN);
  if (!ws_url(url, &where, &target))
    quit(EXIT_USAGE, "! bad url");
  if (options.cases)
    return wscat_cases(buf_text(&where), target, options.bytewise);
  client.deadline_ms = clock_monotonic_ms() + (int64_t)(options.timeout_s * 1000);
  if (!ws_client_connect(&client, buf_text(&where), &error))
    quit(EXIT_EOF, "! connect %s", error);
  if (options.plain)
    run_plain();
  shake_hands(buf_text(&where), target);
  send_wanted();
  usleep((useconds_t)(options.no_read_s * 1e6));
  for (long got = 0; !options.count || got < options.count;)
    got += take_frame();
  quit(0, "%s", "");
}
