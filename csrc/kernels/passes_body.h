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
