/* Similarities from products of vectors (affinity.h); included once per instruction set. */

static void affinity_cosine(float *tile, size_t rows, size_t width) {
    const f32x16 zero = f32x16_set(0);
    for (size_t i = 0; i < rows * width; i += 16)
        f32x16_store(tile + i, f32x16_max(f32x16_load(tile + i), zero));
}

/* x[n] = exp(x), x <= 0. With x = k ln 2 + r, |r| <= ln 2 / 2: the polynomial of Cephes for r, and
 * k in the exponent. Loops of unknown length become vectors; the order of operations is fixed. */
static void affinity_exp(float *restrict x, size_t n) {
    for (size_t i = 0; i < n; i++) {
        const float v = x[i] > -87 ? x[i] : -87;
        const int32_t k = (int32_t)(v * 1.44269504f - 0.5f); /* the nearest: v is not above 0 */
        const float r = (v - (float)k * 0.693359375f) - (float)k * -2.12194440e-4f;
        float y = 1.9875691500e-4f;
        y = y * r + 1.3981999507e-3f;
        y = y * r + 8.3334519073e-3f;
        y = y * r + 4.1665795894e-2f;
        y = y * r + 1.6666665459e-1f;
        y = y * r + 5.0000001201e-1f;
        y = y * (r * r) + r + 1;
        const uint32_t bits = (uint32_t)(k + 127) << 23;
        float power;
        memcpy(&power, &bits, sizeof power);
        x[i] = x[i] > -87 ? y * power : 0;
    }
}

static void affinity_rbf(float *tile, size_t rows, size_t width, float gamma,
                         const float *row_squares, const float *squares) {
    const f32x16 zero = f32x16_set(0), two = f32x16_set(2), minus = f32x16_set(-gamma);
    for (size_t i = 0; i < rows; i++) {
        float *row = tile + i * width;
        for (size_t j = 0; j < width; j += 16) {
            const f32x16 both = f32x16_add(f32x16_set(row_squares[i]), f32x16_load(squares + j));
            const f32x16 apart = f32x16_sub(both, f32x16_mul(two, f32x16_load(row + j)));
            f32x16_store(row + j, f32x16_mul(minus, f32x16_max(apart, zero)));
        }
        affinity_exp(row, width);
    }
}

static void affinity_excess(double *sums, const float *tile, size_t rows, size_t width,
                            const float *floor, const float *weights) {
    const f32x16 zero = f32x16_set(0);
    for (size_t j = 0; j < width; j += 16) {
        f32x16 sum = zero;
        float lanes[16];
        for (size_t i = 0; i < rows; i++) {
            const f32x16 over = f32x16_sub(f32x16_load(tile + i * width + j), f32x16_set(floor[i]));
            sum = f32x16_add(sum, f32x16_mul(f32x16_set(weights[i]), f32x16_max(over, zero)));
        }
        f32x16_store(lanes, sum);
        for (size_t k = 0; k < 16; k++) sums[j + k] += (double)lanes[k];
    }
}

static void affinity_excess_across(double *sums, const float *tile, size_t rows, size_t width,
                                   const float *floor, const float *weights) {
    const f32x16 zero = f32x16_set(0);
    for (size_t i = 0; i < rows; i++) {
        f32x16 sum = zero;
        for (size_t j = 0; j < width; j += 16) {
            const f32x16 over =
                f32x16_sub(f32x16_load(tile + i * width + j), f32x16_load(floor + j));
            sum = f32x16_add(sum, f32x16_mul(f32x16_load(weights + j), f32x16_max(over, zero)));
        }
        sums[i] += (double)f32x16_sum(sum);
    }
}
