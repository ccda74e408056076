/* Kernels of training; included once per instruction set. See objective.h. */

static void objective_dots(float *out, const float *query, const float *cells, size_t stride,
                           size_t count, size_t channels) {
    size_t i = 0;
    for (; i + 4 <= count; i += 4) {
        const float *cell = cells + i * stride;
        f32x16 a = f32x16_set(0), b = a, c = a, d = a;
        for (size_t k = 0; k < channels; k += 16) {
            const f32x16 q = f32x16_load(query + k);
            a = f32x16_add(a, f32x16_mul(q, f32x16_load(cell + k)));
            b = f32x16_add(b, f32x16_mul(q, f32x16_load(cell + stride + k)));
            c = f32x16_add(c, f32x16_mul(q, f32x16_load(cell + 2 * stride + k)));
            d = f32x16_add(d, f32x16_mul(q, f32x16_load(cell + 3 * stride + k)));
        }
        f32x16_sum4(out + i, a, b, c, d);
    }
    for (; i < count; i++) out[i] = dots_one(query, cells + i * stride, channels);
}

static void objective_norms(float *out, const float *cells, size_t stride, size_t count,
                            size_t channels) {
    for (size_t i = 0; i < count; i++) {
        const float *cell = cells + i * stride;
        out[i] = dots_one(cell, cell, channels);
    }
    size_t i = 0;
    for (; i + 16 <= count; i += 16) f32x16_store(out + i, f32x16_sqrt(f32x16_load(out + i)));
    if (i < count) {
        float tail[16] = {0};
        memcpy(tail, out + i, (count - i) * sizeof *out);
        f32x16_store(tail, f32x16_sqrt(f32x16_load(tail)));
        memcpy(out + i, tail, (count - i) * sizeof *out);
    }
}

static void objective_backward(float *restrict gradients, float *restrict sum,
                               const float *restrict query, const float *restrict cells,
                               const float *restrict a, const float *restrict b, size_t stride,
                               size_t count, size_t channels) {
    for (size_t k = 0; k < channels; k += 16) {
        const f32x16 q = f32x16_load(query + k);
        f32x16 total = f32x16_load(sum + k);
        const float *cell = cells + k;
        float *gradient = gradients + k;
        for (size_t i = 0; i < count; i++, cell += stride, gradient += stride) {
            const f32x16 change = f32x16_mul(f32x16_set(a[i]), q);
            total = f32x16_add(total, f32x16_mul(f32x16_set(b[i]), f32x16_load(cell)));
            f32x16_store(gradient, f32x16_add(f32x16_load(gradient), change));
        }
        f32x16_store(sum + k, total);
    }
}

static void objective_project(float *restrict gradients, const float *restrict cells,
                              const float *restrict s, size_t stride, size_t count,
                              size_t channels) {
    for (size_t i = 0; i < count; i++, cells += stride, gradients += stride) {
        const f32x16 scale = f32x16_set(s[i]);
        for (size_t k = 0; k < channels; k += 16) {
            const f32x16 change = f32x16_mul(scale, f32x16_load(cells + k));
            f32x16_store(gradients + k, f32x16_sub(f32x16_load(gradients + k), change));
        }
    }
}

static double objective_squares(const float *x, size_t n) {
    double lane[8] = {0};
    size_t i = 0;
    for (; i + 8 <= n; i += 8)
        for (size_t j = 0; j < 8; j++) lane[j] += (double)x[i + j] * (double)x[i + j];
    for (int j = 0; i < n; i++, j++) lane[j] += (double)x[i] * (double)x[i];
    return coverage_lanes_sum(lane);
}

static void objective_adam16(float *p, float *m, float *v, const float *gradients,
                             const struct scp_adam_step *step) {
    const f32x16 old = f32x16_load(p);
    const f32x16 g = f32x16_add(f32x16_mul(f32x16_set(step->scale), f32x16_load(gradients)),
                                f32x16_mul(f32x16_set(step->decay), old));
    const f32x16 first = f32x16_add(f32x16_mul(f32x16_set(step->beta1), f32x16_load(m)),
                                    f32x16_mul(f32x16_set(1 - step->beta1), g));
    const f32x16 second = f32x16_add(f32x16_mul(f32x16_set(step->beta2), f32x16_load(v)),
                                     f32x16_mul(f32x16_mul(f32x16_set(1 - step->beta2), g), g));
    const f32x16 root = f32x16_sqrt(f32x16_mul(second, f32x16_set(step->correction)));
    const f32x16 move = f32x16_div(f32x16_mul(f32x16_set(step->rate), first),
                                   f32x16_add(root, f32x16_set(step->epsilon)));
    f32x16_store(m, first);
    f32x16_store(v, second);
    f32x16_store(p, f32x16_sub(old, move));
}

static void objective_adam(float *p, float *m, float *v, const float *gradients, size_t n,
                           const struct scp_adam_step *step) {
    size_t i = 0;
    for (; i + 16 <= n; i += 16) objective_adam16(p + i, m + i, v + i, gradients + i, step);
    if (i == n) return;
    float tail[4][16] = {{0}};
    const size_t bytes = (n - i) * sizeof *p;
    memcpy(tail[0], p + i, bytes);
    memcpy(tail[1], m + i, bytes);
    memcpy(tail[2], v + i, bytes);
    memcpy(tail[3], gradients + i, bytes);
    objective_adam16(tail[0], tail[1], tail[2], tail[3], step);
    memcpy(p + i, tail[0], bytes);
    memcpy(m + i, tail[1], bytes);
    memcpy(v + i, tail[2], bytes);
}
