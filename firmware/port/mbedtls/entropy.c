/*
 * Random numbers of mbedTLS are the kernel's. There is no generator of our own
 * that a copied or restarted process could repeat.
 */
#include <stddef.h>
#include <sys/random.h>

#ifndef MBEDTLS_PSA_CRYPTO_EXTERNAL_RNG
#define MBEDTLS_PSA_CRYPTO_EXTERNAL_RNG /* when read with another configuration */
#endif
#include <psa/crypto.h>

/*
 * Random bytes for PSA and, through it, for TLS. Waits until the kernel's
 * generator is seeded.
 */
psa_status_t
mbedtls_psa_external_get_random(mbedtls_psa_external_random_context_t *context,
				uint8_t *output, size_t output_size,
				size_t *output_length)
{
	size_t done = 0;

	(void)context;
	while (done < output_size) {
		ssize_t n = getrandom(output + done, output_size - done, 0);

		if (n <= 0)
			return PSA_ERROR_INSUFFICIENT_ENTROPY;
		done += (size_t)n;
	}
	*output_length = output_size;
	return PSA_SUCCESS;
}
