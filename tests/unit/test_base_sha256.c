#include "../../src/base/sha256.h"

#include <criterion/criterion.h>
#include <stdio.h>

static void check(const void *bytes, size_t len, const char *want)
{
	uint8_t hash[HF_SHA256_SIZE];
	char hex[2 * HF_SHA256_SIZE + 1];

	hf_sha256(bytes, len, hash);
	for (unsigned i = 0; i < HF_SHA256_SIZE; i++)
		snprintf(hex + 2 * i, 3, "%02x", hash[i]);
	cr_assert_str_eq(hex, want, "of %zu bytes", len);
}

/* Source: NIST, Secure Hash Standard Validation System; FIPS 180-2, appendix B. */
Test(base_sha256, standards_vectors)
{
	check("", 0, "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855");
	check("\xd3", 1, "28969cdfa74a12c82f3bad960b0b000aca2ac329deea5c2328ebc6f2ba9802c1");
	check("abc", 3, "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
	check("abcdbcdecdefdefgefghfghighijhijkijkljklmklmnlmnomnopnopq", 56,
	      "248d6a61d20638b8e5c026930c3e6039a33ce45964ff2167f6ecedd419db06c1");
	check("abcdefghbcdefghicdefghijdefghijkefghijklfghijklmghijklmnhijklmnoijklmnopjklmnopqklmnopqrlmnopq"
	      "r"
	      "smnopqrstnopqrstu",
	      112, "cf5b16a778af8380036ce59e7b0492370b249b11e8f07a51afac45037afee9d1");
}

Test(base_sha256, million_bytes)
{
	char *bytes = hf_malloc(1000000);

	memset(bytes, 'a', 1000000);
	check(bytes, 1000000, "cdc76e5c9914fb9281a1c7e284d73e67f1809a48a497200e046d39ccc7112cd0");
	hf_free(bytes);
}

/* Around the end of a block, where the padding takes another. */
Test(base_sha256, lengths_around_a_block)
{
	static const struct {
		size_t len;
		const char *want;
	} rows[] = {
		{55, "9f4390f8d30c2dd92ec9f095b65e2b9ae9b0a925a5258e241c9f1e910f734318"},
		{56, "b35439a4ac6f0948b6d6f9e3c6af0f5f590ce20f1bde7090ef7970686ec6738a"},
		{63, "7d3e74a05d7db15bce4ad9ec0658ea98e3f06eeecf16b4c6fff2da457ddc2f34"},
		{64, "ffe054fe7ae0cb6dc65c3af9b61d5209f439851db43d0ba5997337df154668eb"},
		{65, "635361c48bb9eab14198e76ea8ab7f1a41685d6ad62aa9146d301d4f17eb0ae0"},
	};
	char bytes[65];

	memset(bytes, 'a', sizeof(bytes));
	for (size_t i = 0; i < HF_LEN(rows); i++)
		check(bytes, rows[i].len, rows[i].want);
}
