/* The transforms of Winograd's F(4x4, 3x3) with the points 0, 1, -1, 2, -2 and infinity (Lavin and
 * Gray, CVPR 2016), 16 channels at a time; included once per instruction set.
 *
 *     Y = A^T [ (G g G^T) * (B^T d B) ] A,   d: 6 x 6 inputs, g: 3 x 3 weights, Y: 4 x 4 outputs */

/* to[i * step] = (B^T d)[i], d[i] = from[i * line]. */
static inline void winograd_input1(float *to, size_t step, const float *from, size_t line) {
    const f32x16 d1 = f32x16_load(from + line), d2 = f32x16_load(from + 2 * line);
    const f32x16 d3 = f32x16_load(from + 3 * line), d4 = f32x16_load(from + 4 * line);
    f32x16_store(to,
                 f32x16_fma(f32x16_set(4), f32x16_load(from), f32x16_fma(f32x16_set(-5), d2, d4)));
    f32x16_store(to + 5 * step,
                 f32x16_fma(f32x16_set(4), d1,
                            f32x16_fma(f32x16_set(-5), d3, f32x16_load(from + 5 * line))));
    const f32x16 p = f32x16_fma(f32x16_set(-4), d2, d4), q = f32x16_fma(f32x16_set(-4), d1, d3);
    f32x16_store(to + step, f32x16_add(p, q));
    f32x16_store(to + 2 * step, f32x16_sub(p, q));
    const f32x16 r = f32x16_sub(d4, d2), s = f32x16_sub(d3, d1);
    f32x16_store(to + 3 * step, f32x16_fma(f32x16_set(2), s, r));
    f32x16_store(to + 4 * step, f32x16_fma(f32x16_set(-2), s, r));
}

static void winograd_input(float *v, size_t v_step, size_t v_tile, const float *in, size_t pixel,
                           size_t line, size_t tiles, size_t channels, float *scratch) {
    const size_t columns = 4 * tiles + 2;
    for (size_t c = 0; c < channels; c += 16) {
        for (size_t x = 0; x < columns; x++)
            winograd_input1(scratch + x * 16, columns * 16, in + x * pixel + c, line);
        for (size_t t = 0; t < tiles; t++)
            for (size_t i = 0; i < 6; i++)
                winograd_input1(v + i * 6 * v_step + t * v_tile + c, v_step,
                                scratch + (i * columns + t * 4) * 16, 16);
    }
}

/* to[i * step] = (A^T m)[i], m[i] = from[i * line]. */
static inline void winograd_output1(f32x16 y[4], const float *from, size_t line) {
    const f32x16 m1 = f32x16_load(from + line), m2 = f32x16_load(from + 2 * line);
    const f32x16 m3 = f32x16_load(from + 3 * line), m4 = f32x16_load(from + 4 * line);
    const f32x16 a = f32x16_add(m1, m2), b = f32x16_sub(m1, m2);
    const f32x16 c = f32x16_add(m3, m4), d = f32x16_sub(m3, m4);
    y[0] = f32x16_add(f32x16_add(f32x16_load(from), a), c);
    y[1] = f32x16_fma(f32x16_set(2), d, b);
    y[2] = f32x16_fma(f32x16_set(4), c, a);
    y[3] = f32x16_fma(f32x16_set(8), d, f32x16_add(b, f32x16_load(from + 5 * line)));
}

static void winograd_output(float *out, size_t pixel, size_t line, size_t rows, size_t columns,
                            const float *m, size_t m_step, const float *start) {
    float scratch[4 * 6 * 16];
    f32x16 y[4];
    for (size_t j = 0; j < 6; j++) {
        winograd_output1(y, m + j * m_step, 6 * m_step);
        for (size_t i = 0; i < 4; i++) f32x16_store(scratch + (i * 6 + j) * 16, y[i]);
    }
    for (size_t i = 0; i < rows; i++) {
        float *to = out + i * line;
        winograd_output1(y, scratch + i * 6 * 16, 16);
        if (start && columns == 4) {
            const f32x16 first = f32x16_load(start);
            for (size_t j = 0; j < 4; j++) f32x16_store(to + j * pixel, f32x16_add(first, y[j]));
        } else {
            for (size_t j = 0; j < columns; j++) {
                const f32x16 first = f32x16_load(start ? start : to + j * pixel);
                f32x16_store(to + j * pixel, f32x16_add(first, y[j]));
            }
        }
    }
}

/* to[i * step] = (A d)[i], d[i] = from[i * line]: the adjoint of output1. */
static inline void winograd_gradient1(float *to, size_t step, const float *from, size_t line) {
    const f32x16 d0 = f32x16_load(from), d1 = f32x16_load(from + line);
    const f32x16 d2 = f32x16_load(from + 2 * line), d3 = f32x16_load(from + 3 * line);
    f32x16_store(to, d0);
    f32x16_store(to + 5 * step, d3);
    const f32x16 e = f32x16_add(d0, d2), f = f32x16_add(d1, d3);
    f32x16_store(to + step, f32x16_add(e, f));
    f32x16_store(to + 2 * step, f32x16_sub(e, f));
    const f32x16 g = f32x16_fma(f32x16_set(4), d2, d0), h = f32x16_fma(f32x16_set(4), d3, d1);
    f32x16_store(to + 3 * step, f32x16_fma(f32x16_set(2), h, g));
    f32x16_store(to + 4 * step, f32x16_fma(f32x16_set(-2), h, g));
}

static void winograd_gradient(float *w, size_t w_step, const float *dy, size_t pixel, size_t line) {
    float scratch[6 * 4 * 16];
    for (size_t j = 0; j < 4; j++)
        winograd_gradient1(scratch + j * 16, 4 * 16, dy + j * pixel, line);
    for (size_t i = 0; i < 6; i++)
        winograd_gradient1(w + i * 6 * w_step, w_step, scratch + i * 4 * 16, 16);
}

/* to[i * step] = (G g)[i]. */
static inline void winograd_weights1(float *to, size_t step, const float *from, size_t line) {
    const f32x16 g0 = f32x16_load(from), g1 = f32x16_load(from + line);
    const f32x16 g2 = f32x16_load(from + 2 * line);
    f32x16_store(to, f32x16_mul(f32x16_set(0.25f), g0));
    f32x16_store(to + 5 * step, g2);
    const f32x16 e = f32x16_mul(f32x16_set(-1.f / 6), f32x16_add(g0, g2));
    f32x16_store(to + step, f32x16_fma(f32x16_set(-1.f / 6), g1, e));
    f32x16_store(to + 2 * step, f32x16_fma(f32x16_set(1.f / 6), g1, e));
    const f32x16 f = f32x16_mul(f32x16_set(1.f / 24), f32x16_fma(f32x16_set(4), g2, g0));
    f32x16_store(to + 3 * step, f32x16_fma(f32x16_set(1.f / 12), g1, f));
    f32x16_store(to + 4 * step, f32x16_fma(f32x16_set(-1.f / 12), g1, f));
}

static void winograd_weights(float *u, size_t u_step, const float *g, size_t g_step, size_t count) {
    float scratch[6 * 3 * 16];
    for (size_t k = 0; k < count; k++, u += 16, g += 16) {
        for (size_t j = 0; j < 3; j++)
            winograd_weights1(scratch + j * 16, 3 * 16, g + j * g_step, 3 * g_step);
        for (size_t i = 0; i < 6; i++)
            winograd_weights1(u + i * 6 * u_step, u_step, scratch + i * 3 * 16, 16);
    }
}

/* to[i * step] = (G^T u)[i]: the adjoint of weights1. */
static inline void winograd_collect1(float *to, size_t step, const float *from, size_t line) {
    const f32x16 u1 = f32x16_load(from + line), u2 = f32x16_load(from + 2 * line);
    const f32x16 u3 = f32x16_load(from + 3 * line), u4 = f32x16_load(from + 4 * line);
    const f32x16 a = f32x16_mul(f32x16_set(-1.f / 6), f32x16_add(u1, u2));
    const f32x16 b = f32x16_mul(f32x16_set(1.f / 6), f32x16_sub(u2, u1));
    const f32x16 c = f32x16_add(u3, u4), d = f32x16_sub(u3, u4);
    f32x16_store(to, f32x16_fma(f32x16_set(0.25f), f32x16_load(from),
                                f32x16_fma(f32x16_set(1.f / 24), c, a)));
    f32x16_store(to + step, f32x16_fma(f32x16_set(1.f / 12), d, b));
    f32x16_store(to + 2 * step,
                 f32x16_add(f32x16_load(from + 5 * line), f32x16_fma(f32x16_set(1.f / 6), c, a)));
}

static void winograd_collect(float *g, size_t g_step, const float *u, size_t u_step) {
    float scratch[3 * 6 * 16];
    for (size_t j = 0; j < 6; j++)
        winograd_collect1(scratch + j * 16, 6 * 16, u + j * u_step, 6 * u_step);
    for (size_t i = 0; i < 3; i++)
        winograd_collect1(g + i * 3 * g_step, g_step, scratch + i * 6 * 16, 16);
}
