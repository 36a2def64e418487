#include "sign.h"

#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "file.h"

bool is_english;

static const char help_en[] =
	"usage: sign [--lang vi|en] COMMAND ...\n"
	"\n"
	"  ceremony --out DIR [--plain] [--scope S]  make all keys of a province and\n"
	"          keyset 1, print fingerprints; --plain: private keys without "
	"passphrase\n"
	"  key new FILE [--alg es256|es384|ps256] [--plain]   one key: FILE and "
	"FILE.pub\n"
	"  key show KEY...                 algorithm, key id and fingerprint\n"
	"  keyset PLAN --out FILE          unsigned keyset from a plan (see FORMAT of "
	"the\n"
	"          plan that ceremony writes); sign it with `sign add`\n"
	"  config CONFIG.json --out FILE --key KEY [--previous FILE] [--days N]\n"
	"          [--keyset N] [--yes]    show what changes, then make and sign it\n"
	"  add FILE --key KEY [--previous FILE] [--yes]   countersign\n"
	"  cms CONFIG.json --cms FILE --ca CA.pem --out FILE --key KEY [...]\n"
	"          check an officer's CMS signature of CONFIG.json, then sign as config\n"
	"  order confirm CONFIG.signed --out FILE --key KEY... [--version N]\n"
	"          the SOC's order to keep this configuration, instead of the code\n"
	"  verify FILE --keyset FILE... [--device SERIAL]   judge it as a device would\n"
	"  inspect FILE [--previous FILE]  what it says, and what would change\n"
	"\n"
	"KEY is a file (PEM) or a token's \"pkcs11:...\" address. --previous is the\n"
	"configuration before, an artifact or plain JSON. A passphrase or PIN is asked\n"
	"for, or read from the file in LUYTRE_PIN_FILE.\n"
	"Exit code: 0 good, 1 the file was judged and refused, 2 usage, file or token.\n";

static const char help_vi[] =
	"cách dùng: sign [--lang vi|en] LỆNH ...\n"
	"\n"
	"  ceremony --out THƯ_MỤC [--plain] [--scope S]  tạo mọi khóa của tỉnh và bộ\n"
	"          khóa số 1, in dấu vân tay; --plain: khóa bí mật không mật khẩu\n"
	"  key new TỆP [--alg es256|es384|ps256] [--plain]   một khóa: TỆP và TỆP.pub\n"
	"  key show KHÓA...                thuật toán, mã khóa, dấu vân tay\n"
	"  keyset KẾ_HOẠCH --out TỆP       bộ khóa chưa ký, từ tệp kế hoạch như "
	"ceremony\n"
	"          đã ghi; ký bằng `sign add`\n"
	"  config CẤU_HÌNH.json --out TỆP --key KHÓA [--previous TỆP] [--days N]\n"
	"          [--keyset N] [--yes]    cho xem thay đổi, rồi tạo và ký\n"
	"  add TỆP --key KHÓA [--previous TỆP] [--yes]   ký thêm\n"
	"  cms CẤU_HÌNH.json --cms TỆP --ca CA.pem --out TỆP --key KHÓA [...]\n"
	"          kiểm tra chữ ký CMS của cán bộ trên CẤU_HÌNH.json, rồi ký như config\n"
	"  order confirm CẤU_HÌNH.signed --out TỆP --key KHÓA... [--version N]\n"
	"          lệnh của SOC giữ lại cấu hình này, thay cho mã xác nhận\n"
	"  verify TỆP --keyset TỆP... [--device SỐ_MÁY]   xét như thiết bị sẽ xét\n"
	"  inspect TỆP [--previous TỆP]    nội dung và những gì sẽ thay đổi\n"
	"\n"
	"KHÓA là một tệp (PEM) hoặc địa chỉ \"pkcs11:...\" của thiết bị ký số. "
	"--previous\n"
	"là cấu hình trước đó, đã ký hoặc JSON. Mật khẩu hoặc PIN được hỏi khi cần, "
	"hoặc\n"
	"đọc từ tệp nêu trong LUYTRE_PIN_FILE.\n"
	"Mã thoát: 0 tốt, 1 tệp bị từ chối, 2 cách dùng, tệp hoặc thiết bị ký số.\n";

static const struct {
	const char *name;
	int (*run)(int argc, char **argv);
} commands[] = {
	{"ceremony", command_ceremony}, {"key", command_key},
	{"keyset", command_keyset},     {"config", command_config},
	{"add", command_add},           {"cms", command_cms},
	{"order", command_order},       {"verify", command_verify},
	{"inspect", command_inspect},
};

/*
 * One line on standard error, "sign: ...".
 */
void complain(const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	(void)fputs("sign: ", stderr);
	(void)vfprintf(stderr, fmt, ap);
	(void)fputc('\n', stderr);
	va_end(ap);
}

/*
 * Read a file; on failure it is complained about.
 *
 * Returns ERR_OK or the error of file_load().
 */
int load(const char *path, size_t max, uint8_t **text, size_t *n)
{
	int r = file_load(path, max, text, n);

	if (r != ERR_OK)
		complain("%s: %s", path, r == ERR_SYS ? strerror(errno) : err_text(r));
	return r;
}

static int write_all(int fd, struct span data)
{
	while (data.n > 0) {
		ssize_t n = write(fd, data.p, data.n);

		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0)
			return ERR_SYS;
		data.p += n;
		data.n -= (size_t)n;
	}
	return fsync(fd) == 0 ? ERR_OK : ERR_SYS;
}

/*
 * Write a file whole: beside the old one, flushed, then renamed over it. A
 * secret is readable by its owner only and never replaces anything.
 *
 * Returns ERR_OK, or an error that was complained about.
 */
int save(const char *path, struct span data, bool is_secret)
{
	char part[4096];
	int n = snprintf(part, sizeof(part), "%s.part", path);
	int fd = -1, r = ERR_SYS;

	if (n < 0 || (size_t)n >= sizeof(part)) {
		complain("%s: %s", path, err_text(ERR_LIMIT));
		return ERR_LIMIT;
	}
	if (is_secret && access(path, F_OK) == 0) {
		complain(T("%s: exists; a key is never overwritten",
			   "%s: đã có; không bao giờ ghi đè lên khóa"),
			 path);
		return ERR_EXIST;
	}
	(void)unlink(part); /* of a run that was cut short */
	fd = open(part, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW,
		  is_secret ? 0600 : 0644);
	if (fd >= 0) {
		r = write_all(fd, data);
		if (close(fd) != 0)
			r = ERR_SYS;
	}
	if (r == ERR_OK && rename(part, path) != 0)
		r = ERR_SYS;
	if (r != ERR_OK) {
		complain("%s: %s", path, strerror(errno));
		(void)unlink(part);
	}
	return r;
}

/*
 * Seconds of Unix time; SOURCE_DATE_EPOCH replaces them, for equal output.
 */
uint64_t now_s(void)
{
	const char *epoch = getenv("SOURCE_DATE_EPOCH");
	uint64_t v;

	if (epoch && span_to_u64(span_str(epoch), UINT64_MAX, &v) == ERR_OK)
		return v;
	return (uint64_t)time(NULL);
}

/* Vietnamese unless the environment or --lang says English. */
static void choose_language(void)
{
	static const char *const names[] = {"LUYTRE_LANG", "LC_ALL", "LC_MESSAGES",
					    "LANG"};

	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
		const char *v = getenv(names[i]);

		if (!v || !*v)
			continue;
		is_english = strncmp(v, "en", 2) == 0;
		if (is_english || strncmp(v, "vi", 2) == 0)
			return;
	}
}

int main(int argc, char **argv)
{
	int at = 1;

	choose_language();
	if (argc >= 3 && strcmp(argv[1], "--lang") == 0) {
		is_english = strcmp(argv[2], "en") == 0;
		if (!is_english && strcmp(argv[2], "vi") != 0) {
			complain("--lang: vi | en");
			return EXIT_USAGE;
		}
		at = 3;
	}
	if (at == argc) {
		(void)fputs(T(help_en, help_vi), stderr);
		return EXIT_USAGE;
	}
	if (strcmp(argv[at], "--help") == 0 || strcmp(argv[at], "-h") == 0) {
		(void)fputs(T(help_en, help_vi), stdout);
		return EXIT_GOOD;
	}
	for (size_t i = 0; i < sizeof(commands) / sizeof(commands[0]); i++) {
		if (strcmp(argv[at], commands[i].name) == 0)
			return commands[i].run(argc - at, argv + at);
	}
	complain(T("unknown command \"%s\"; see sign --help",
		   "không có lệnh \"%s\"; xem sign --help"),
		 argv[at]);
	return EXIT_USAGE;
}
