/* Rows of maps (passes.h); included once per instruction set, after maps_body.h. */

static void pass_moments(float *sum, float *squares, const float *origin, const float *in,
                         size_t stride, size_t pixels, size_t lanes) {
    for (size_t j = 0; j < lanes; j += 16) {
        const f32x16 o = f32x16_load(origin + j);
        f32x16 s0 = f32x16_set(0), s1 = s0, q0 = s0, q1 = s0;
        size_t i = 0;
        for (; i + 2 <= pixels; i += 2) {
            const f32x16 x = f32x16_sub(f32x16_load(in + i * stride + j), o);
            const f32x16 y = f32x16_sub(f32x16_load(in + (i + 1) * stride + j), o);
            s0 = f32x16_add(s0, x);
            s1 = f32x16_add(s1, y);
            q0 = f32x16_add(q0, f32x16_mul(x, x));
            q1 = f32x16_add(q1, f32x16_mul(y, y));
        }
        if (i < pixels) {
            const f32x16 x = f32x16_sub(f32x16_load(in + i * stride + j), o);
            s0 = f32x16_add(s0, x);
            q0 = f32x16_add(q0, f32x16_mul(x, x));
        }
        f32x16_store(sum + j, f32x16_add(s0, s1));
        f32x16_store(squares + j, f32x16_add(q0, q1));
    }
}

static void pass_backward_sums(float *sum, float *product, const float *origin, const float *grad,
                               size_t grad_stride, const float *raw, size_t raw_stride,
                               const struct scp_deferred_row *row, size_t pixels, size_t lanes) {
    for (size_t j = 0; j < lanes; j += 16) {
        const struct affine f = affine_load(row, j);
        const f32x16 o = f32x16_load(origin + j);
        f32x16 s[2] = {f32x16_set(0), f32x16_set(0)}, p[2] = {s[0], s[0]};
        for (size_t i = 0; i < pixels; i++) {
            const f32x16 x = f32x16_load(raw + i * raw_stride + j);
            const f32x16 g = affine_backward(f, x, f32x16_load(grad + i * grad_stride + j));
            s[i & 1] = f32x16_add(s[i & 1], g);
            p[i & 1] = f32x16_add(p[i & 1], f32x16_mul(g, f32x16_sub(x, o)));
        }
        f32x16_store(sum + j, f32x16_add(s[0], s[1]));
        f32x16_store(product + j, f32x16_add(p[0], p[1]));
    }
}

static void pass_pool(float *out, size_t out_stride, const float *row0, const float *row1,
                      size_t stride, const struct scp_deferred_row *row, size_t pixels,
                      size_t lanes) {
    for (size_t j = 0; j < lanes; j += 16) {
        const struct affine f = affine_load(row, j);
        for (size_t i = 0; i < pixels; i++) {
            const float *p = row0 + 2 * i * stride + j, *q = row1 + 2 * i * stride + j;
            const f32x16 a = affine_value(f, f32x16_load(p));
            const f32x16 b = affine_value(f, f32x16_load(p + stride));
            const f32x16 c = affine_value(f, f32x16_load(q));
            const f32x16 d = affine_value(f, f32x16_load(q + stride));
            f32x16_store(out + i * out_stride + j, f32x16_max(f32x16_max(a, b), f32x16_max(c, d)));
        }
    }
}

/* Adds g to *to, or writes it. */
static inline void put(float *to, int accumulate, f32x16 g) {
    f32x16_store(to, accumulate ? f32x16_add(f32x16_load(to), g) : g);
}

static void pass_pool_backward(float *grad0, float *grad1, size_t grad_stride, int accumulate,
                               const float *out_grad, size_t out_stride, const float *row0,
                               const float *row1, size_t stride, const struct scp_deferred_row *row,
                               size_t pixels, size_t lanes) {
    const f32x16 zero = f32x16_set(0);
    for (size_t j = 0; j < lanes; j += 16) {
        const struct affine f = affine_load(row, j);
        for (size_t i = 0; i < pixels; i++) {
            const float *p = row0 + 2 * i * stride + j, *q = row1 + 2 * i * stride + j;
            float *gp = grad0 + 2 * i * grad_stride + j, *gq = grad1 + 2 * i * grad_stride + j;
            const f32x16 a = affine_value(f, f32x16_load(p));
            const f32x16 b = affine_value(f, f32x16_load(p + stride));
            const f32x16 c = affine_value(f, f32x16_load(q));
            const f32x16 d = affine_value(f, f32x16_load(q + stride));
            const f32x16 m = f32x16_max(f32x16_max(a, b), f32x16_max(c, d));
            f32x16 left = f32x16_load(out_grad + i * out_stride + j); /* what is not given yet */
            f32x16 g = f32x16_where_equal(a, m, left, zero);
            put(gp, accumulate, g);
            left = f32x16_where_equal(a, m, zero, left);
            g = f32x16_where_equal(b, m, left, zero);
            put(gp + grad_stride, accumulate, g);
            left = f32x16_where_equal(b, m, zero, left);
            g = f32x16_where_equal(c, m, left, zero);
            put(gq, accumulate, g);
            left = f32x16_where_equal(c, m, zero, left);
            put(gq + grad_stride, accumulate, left);
        }
    }
}

/* z at the nine pixels around 2i of three rows, row by row, and their maximum. What lies outside is
 * -INFINITY: every window has a pixel inside. */
static inline f32x16 window_load(f32x16 z[9], const float *const rows[3], size_t stride,
                                 size_t width, size_t i, size_t channel, struct affine f) {
    f32x16 best = f32x16_set(-INFINITY);
    for (size_t k = 0; k < 9; k++) {
        const size_t column = 2 * i + k % 3; /* + 1 */
        const int inside = rows[k / 3] && column > 0 && column <= width;
        z[k] = inside ? affine_value(f, f32x16_load(rows[k / 3] + (column - 1) * stride + channel))
                      : f32x16_set(-INFINITY);
        best = f32x16_max(z[k], best);
    }
    return best;
}

static void pass_pool3(float *out, size_t out_stride, const float *const rows[3], size_t stride,
                       size_t width, const struct scp_deferred_row *row, size_t pixels,
                       size_t lanes) {
    f32x16 z[9];
    for (size_t j = 0; j < lanes; j += 16) {
        const struct affine f = affine_load(row, j);
        for (size_t i = 0; i < pixels; i++)
            f32x16_store(out + i * out_stride + j, window_load(z, rows, stride, width, i, j, f));
    }
}

static void pass_pool3_backward(float *grad, size_t grad_stride, size_t line, const float *out_grad,
                                size_t out_stride, const float *const rows[3], size_t stride,
                                size_t width, const struct scp_deferred_row *row, size_t pixels,
                                size_t lanes) {
    const f32x16 zero = f32x16_set(0);
    f32x16 z[9];
    for (size_t j = 0; j < lanes; j += 16) {
        const struct affine f = affine_load(row, j);
        for (size_t i = 0; i < pixels; i++) {
            const f32x16 best = window_load(z, rows, stride, width, i, j, f);
            f32x16 left = f32x16_load(out_grad + i * out_stride + j); /* what is not given yet */
            for (size_t k = 0; k < 3 * line; k++) left = f32x16_where_equal(z[k], best, zero, left);
            for (size_t k = 0; k < 3; k++) {
                const f32x16 value = z[3 * line + k],
                             g = f32x16_where_equal(value, best, left, zero);
                const size_t column = 2 * i + k; /* + 1 */
                if (column > 0 && column <= width) put(grad + (column - 1) * grad_stride + j, 1, g);
                left = f32x16_where_equal(value, best, zero, left);
            }
        }
    }
}

#define DRAWS 32 /* of eight counters */

/* Draws 32 block .. 32 block + 31: 1 / (1 - rate), or 0. */
static void draw(float kept[DRAWS], const struct scp_draws *draws, uint32_t block) {
    const u64x8 by0 = u64x8_set(0xD2511F53u), by1 = u64x8_set(0xCD9E8D57u);
    u64x8 c0 = u64x8_count(8 * block), c1 = u64x8_set(0); /* a row has fewer than 2^34 values */
    u64x8 c2 = u64x8_set((uint32_t)draws->stream);
    u64x8 c3 = u64x8_set((uint32_t)(draws->stream >> 32));
    uint32_t k0 = (uint32_t)draws->seed, k1 = (uint32_t)(draws->seed >> 32);
    for (int round = 0; round < 10; round++, k0 += 0x9E3779B9u, k1 += 0xBB67AE85u) {
        const u64x8 p0 = u64x8_multiply(c0, by0), p1 = u64x8_multiply(c2, by1);
        c0 = u64x8_xor(u64x8_xor(u64x8_upper(p1), c1), u64x8_set(k0));
        c1 = p1;
        c2 = u64x8_xor(u64x8_xor(u64x8_upper(p0), c3), u64x8_set(k1));
        c3 = p0;
    }
    const uint32_t limit = (uint32_t)ceilf(draws->rate * 0x1p24f); /* the smallest that is kept */
    const float keep = 1 / (1 - draws->rate);
    uint64_t words[4][8];
    u64x8_store(words[0], c0), u64x8_store(words[1], c1);
    u64x8_store(words[2], c2), u64x8_store(words[3], c3);
    for (int j = 0; j < 8; j++)
        for (int k = 0; k < 4; k++)
            kept[4 * j + k] = (uint32_t)words[k][j] >> 8 >= limit ? keep : 0;
}

static void pass_dropout(float *out, size_t out_stride, int accumulate, const float *in,
                         size_t in_stride, const struct scp_deferred_row *row, size_t pixels,
                         size_t channels, const struct scp_draws *draws) {
    float kept[16 + DRAWS]; /* what is left of the draws before, and new ones */
    size_t at = sizeof kept / sizeof *kept;
    uint32_t block = 0;
    for (size_t i = 0; i < pixels; i++, in += in_stride, out += out_stride)
        for (size_t j = 0; j < channels; j += 16) {
            const size_t count = channels - j < 16 ? channels - j : 16, left = 16 + DRAWS - at;
            if (left < count) {
                memcpy(kept + 16 - left, kept + at, left * sizeof *kept);
                at = 16 - left;
                draw(kept + 16, draws, block++);
            }
            float share[16] = {0}; /* of channels that are none */
            memcpy(share, kept + at, count * sizeof *share);
            at += count;
            const f32x16 z = affine_value(affine_load(row, j), f32x16_load(in + j));
            put(out + j, accumulate, f32x16_mul(f32x16_load(share), z));
        }
}

static void pass_blend(float *out, const float *in0, const float *in1, float weight, size_t count) {
    const f32x16 w = f32x16_set(weight);
    for (size_t i = 0; i < count; i += 16) {
        const f32x16 a = f32x16_load(in0 + i);
        f32x16_store(out + i, f32x16_add(a, f32x16_mul(w, f32x16_sub(f32x16_load(in1 + i), a))));
    }
}

static void pass_stretch(float *out, size_t out_stride, const float *in, size_t in_stride,
                         const unsigned *index0, const unsigned *index1, const float *weight,
                         size_t pixels, size_t lanes) {
    for (size_t i = 0; i < pixels; i++)
        pass_blend(out + i * out_stride, in + index0[i] * in_stride, in + index1[i] * in_stride,
                   weight[i], lanes);
}

static void pass_add(float *out, size_t out_stride, int accumulate, const float *in,
                     size_t in_stride, float weight, size_t pixels, size_t lanes) {
    const f32x16 w = f32x16_set(weight);
    for (size_t i = 0; i < pixels; i++)
        for (size_t j = 0; j < lanes; j += 16)
            put(out + i * out_stride + j, accumulate,
                f32x16_mul(w, f32x16_load(in + i * in_stride + j)));
}
