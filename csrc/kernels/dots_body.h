/* Dot products; included once per instruction set. See kernels.h for the summation order. */

static void dots_quad(float out[4], const float *query, const float *row0, const float *row1,
                      size_t channels) {
    f32x16 a = f32x16_set(0), b = a, c = a, d = a;
    for (size_t i = 0; i < channels; i += 16) {
        const f32x16 q = f32x16_load(query + i);
        a = f32x16_add(a, f32x16_mul(q, f32x16_load(row0 + i)));
        b = f32x16_add(b, f32x16_mul(q, f32x16_load(row0 + channels + i)));
        c = f32x16_add(c, f32x16_mul(q, f32x16_load(row1 + i)));
        d = f32x16_add(d, f32x16_mul(q, f32x16_load(row1 + channels + i)));
    }
    f32x16_sum4(out, a, b, c, d);
}

static void dots_block(float *out, size_t stride, const float *queries, size_t n_queries,
                       const float *cells, size_t n_cells, size_t channels) {
    float tail[4];
    for (size_t i = 0; i < n_cells; i += 4) {
        const float *first = cells + i * channels;
        if (i + 4 <= n_cells) {
            for (size_t q = 0; q < n_queries; q++)
                dots_quad(out + q * stride + i, queries + q * channels, first, first + 2 * channels,
                          channels);
            continue;
        }
        for (size_t q = 0; q < n_queries; q++) { /* the last 1..3 cells */
            for (size_t k = 0; i + k < n_cells; k++) {
                const float *cell = first + k * channels, *query = queries + q * channels;
                f32x16 a = f32x16_set(0);
                for (size_t c = 0; c < channels; c += 16)
                    a = f32x16_add(a, f32x16_mul(f32x16_load(query + c), f32x16_load(cell + c)));
                tail[k] = f32x16_sum(a);
            }
            for (size_t k = 0; i + k < n_cells; k++) out[q * stride + i + k] = tail[k];
        }
    }
}
