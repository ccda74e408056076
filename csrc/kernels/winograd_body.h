/* The transforms of Winograd's F(4x4, 3x3) with the points 0, 1, -1, 2, -2 and infinity (Lavin and
 * Gray, CVPR 2016), and of F(4x4, 2x2) with 0, 1, -1, 2 and infinity, 16 channels at a time;
 * included once per instruction set.
 *
 *     Y = A^T [ (G g G^T) * (B^T d B) ] A,   d: side x side inputs, g: weights, Y: 4 x 4 outputs
 *
 * One axis at a time, by the functions winograd3_ and winograd2_; both axes below. */

/* ---- three taps, six products ---- */

/* to[i * step] = (B^T d)[i], d[i] = from[i * line]. */
static inline void winograd3_input1(float *to, size_t step, const float *from, size_t line) {
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

/* to[i * step] = (A^T m)[i], m[i] = from[i * line]. */
static inline void winograd3_output1(f32x16 y[4], const float *from, size_t line) {
    const f32x16 m1 = f32x16_load(from + line), m2 = f32x16_load(from + 2 * line);
    const f32x16 m3 = f32x16_load(from + 3 * line), m4 = f32x16_load(from + 4 * line);
    const f32x16 a = f32x16_add(m1, m2), b = f32x16_sub(m1, m2);
    const f32x16 c = f32x16_add(m3, m4), d = f32x16_sub(m3, m4);
    y[0] = f32x16_add(f32x16_add(f32x16_load(from), a), c);
    y[1] = f32x16_fma(f32x16_set(2), d, b);
    y[2] = f32x16_fma(f32x16_set(4), c, a);
    y[3] = f32x16_fma(f32x16_set(8), d, f32x16_add(b, f32x16_load(from + 5 * line)));
}

/* to[i * step] = (A d)[i], d[i] = from[i * line]: the adjoint of output1. */
static inline void winograd3_gradient1(float *to, size_t step, const float *from, size_t line) {
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

/* to[i * step] = (G g)[i]. */
static inline void winograd3_weights1(float *to, size_t step, const float *from, size_t line) {
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

/* to[i * step] = (G^T u)[i]: the adjoint of weights1. */
static inline void winograd3_collect1(float *to, size_t step, const float *from, size_t line) {
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

/* ---- two taps, five products ---- */

static inline void winograd2_input1(float *to, size_t step, const float *from, size_t line) {
    const f32x16 d1 = f32x16_load(from + line), d2 = f32x16_load(from + 2 * line);
    const f32x16 d3 = f32x16_load(from + 3 * line), two = f32x16_set(2), less = f32x16_set(-2);
    const f32x16 a = f32x16_sub(d3, d1), b = f32x16_sub(d3, d2);
    f32x16_store(to, f32x16_fma(two, f32x16_sub(f32x16_load(from), d2), a));
    f32x16_store(to + step, f32x16_fma(less, d1, b));
    f32x16_store(to + 2 * step, f32x16_fma(two, f32x16_sub(d1, d2), b));
    f32x16_store(to + 3 * step, a);
    f32x16_store(to + 4 * step, f32x16_fma(less, a, f32x16_sub(f32x16_load(from + 4 * line), d2)));
}

static inline void winograd2_output1(f32x16 y[4], const float *from, size_t line) {
    const f32x16 m1 = f32x16_load(from + line), m2 = f32x16_load(from + 2 * line);
    const f32x16 m3 = f32x16_load(from + 3 * line);
    const f32x16 a = f32x16_add(m1, m2), b = f32x16_sub(m1, m2);
    y[0] = f32x16_add(f32x16_add(f32x16_load(from), a), m3);
    y[1] = f32x16_fma(f32x16_set(2), m3, b);
    y[2] = f32x16_fma(f32x16_set(4), m3, a);
    y[3] = f32x16_fma(f32x16_set(8), m3, f32x16_add(b, f32x16_load(from + 4 * line)));
}

static inline void winograd2_gradient1(float *to, size_t step, const float *from, size_t line) {
    const f32x16 d0 = f32x16_load(from), d1 = f32x16_load(from + line);
    const f32x16 d2 = f32x16_load(from + 2 * line), d3 = f32x16_load(from + 3 * line);
    const f32x16 e = f32x16_add(d0, d2), f = f32x16_add(d1, d3);
    f32x16_store(to, d0);
    f32x16_store(to + step, f32x16_add(e, f));
    f32x16_store(to + 2 * step, f32x16_sub(e, f));
    const f32x16 h = f32x16_fma(f32x16_set(4), d3, d1);
    f32x16_store(to + 3 * step, f32x16_fma(f32x16_set(2), h, f32x16_fma(f32x16_set(4), d2, d0)));
    f32x16_store(to + 4 * step, d3);
}

static inline void winograd2_weights1(float *to, size_t step, const float *from, size_t line) {
    const f32x16 g0 = f32x16_load(from), g1 = f32x16_load(from + line);
    const f32x16 sixth = f32x16_mul(f32x16_set(1.f / 6), g0);
    f32x16_store(to, f32x16_mul(f32x16_set(0.5f), g0));
    f32x16_store(to + step, f32x16_mul(f32x16_set(-0.5f), f32x16_add(g0, g1)));
    f32x16_store(to + 2 * step, f32x16_mul(f32x16_set(1.f / 6), f32x16_sub(g1, g0)));
    f32x16_store(to + 3 * step, f32x16_fma(f32x16_set(1.f / 3), g1, sixth));
    f32x16_store(to + 4 * step, g1);
}

static inline void winograd2_collect1(float *to, size_t step, const float *from, size_t line) {
    const f32x16 u1 = f32x16_load(from + line), u2 = f32x16_load(from + 2 * line);
    const f32x16 u3 = f32x16_load(from + 3 * line), sixth = f32x16_set(1.f / 6);
    const f32x16 a = f32x16_mul(f32x16_set(0.5f), f32x16_sub(f32x16_load(from), u1));
    f32x16_store(to, f32x16_fma(sixth, f32x16_sub(u3, u2), a));
    const f32x16 b = f32x16_fma(f32x16_set(-0.5f), u1, f32x16_load(from + 4 * line));
    f32x16_store(to + step, f32x16_fma(f32x16_set(1.f / 3), u3, f32x16_fma(sixth, u2, b)));
}

/* ---- both axes ---- */

/* winograd##TAPS##_input and so on; SIDE products along an axis. */
#define WINOGRAD(TAPS, SIDE)                                                                       \
    static void winograd##TAPS##_input(float *v, size_t v_step, size_t v_tile, const float *in,    \
                                       size_t pixel, size_t line, size_t tiles, size_t channels,   \
                                       float *scratch) {                                           \
        const size_t columns = 4 * tiles + SIDE - 4;                                               \
        for (size_t c = 0; c < channels; c += 16) {                                                \
            for (size_t x = 0; x < columns; x++)                                                   \
                winograd##TAPS##_input1(scratch + x * 16, columns * 16, in + x * pixel + c, line); \
            for (size_t t = 0; t < tiles; t++)                                                     \
                for (size_t i = 0; i < SIDE; i++)                                                  \
                    winograd##TAPS##_input1(v + i * SIDE * v_step + t * v_tile + c, v_step,        \
                                            scratch + (i * columns + t * 4) * 16, 16);             \
        }                                                                                          \
    }                                                                                              \
                                                                                                   \
    static void winograd##TAPS##_output(float *out, size_t pixel, size_t line, size_t rows,        \
                                        size_t columns, const float *m, size_t m_step,             \
                                        const float *start) {                                      \
        float scratch[4 * SIDE * 16];                                                              \
        f32x16 y[4];                                                                               \
        for (size_t j = 0; j < SIDE; j++) {                                                        \
            winograd##TAPS##_output1(y, m + j * m_step, SIDE * m_step);                            \
            for (size_t i = 0; i < 4; i++) f32x16_store(scratch + (i * SIDE + j) * 16, y[i]);      \
        }                                                                                          \
        for (size_t i = 0; i < rows; i++) {                                                        \
            float *to = out + i * line;                                                            \
            winograd##TAPS##_output1(y, scratch + i * SIDE * 16, 16);                              \
            if (start && columns == 4) {                                                           \
                const f32x16 first = f32x16_load(start);                                           \
                for (size_t j = 0; j < 4; j++)                                                     \
                    f32x16_store(to + j * pixel, f32x16_add(first, y[j]));                         \
            } else {                                                                               \
                for (size_t j = 0; j < columns; j++) {                                             \
                    const f32x16 first = f32x16_load(start ? start : to + j * pixel);              \
                    f32x16_store(to + j * pixel, f32x16_add(first, y[j]));                         \
                }                                                                                  \
            }                                                                                      \
        }                                                                                          \
    }                                                                                              \
                                                                                                   \
    static void winograd##TAPS##_gradient(float *w, size_t w_step, const float *dy, size_t pixel,  \
                                          size_t line) {                                           \
        float scratch[SIDE * 4 * 16];                                                              \
        for (size_t j = 0; j < 4; j++)                                                             \
            winograd##TAPS##_gradient1(scratch + j * 16, 4 * 16, dy + j * pixel, line);            \
        for (size_t i = 0; i < SIDE; i++)                                                          \
            winograd##TAPS##_gradient1(w + i * SIDE * w_step, w_step, scratch + i * 4 * 16, 16);   \
    }                                                                                              \
                                                                                                   \
    static void winograd##TAPS##_weights(float *u, size_t u_step, const float *g, size_t g_row,    \
                                         size_t g_step, size_t count) {                            \
        float scratch[SIDE * TAPS * 16];                                                           \
        for (size_t k = 0; k < count; k++, u += 16, g += 16) {                                     \
            for (size_t j = 0; j < TAPS; j++)                                                      \
                winograd##TAPS##_weights1(scratch + j * 16, TAPS * 16, g + j * g_step, g_row);     \
            for (size_t i = 0; i < SIDE; i++)                                                      \
                winograd##TAPS##_weights1(u + i * SIDE * u_step, u_step, scratch + i * TAPS * 16,  \
                                          16);                                                     \
        }                                                                                          \
    }                                                                                              \
                                                                                                   \
    static void winograd##TAPS##_collect(float *g, size_t g_row, size_t g_step, const float *u,    \
                                         size_t u_step) {                                          \
        float scratch[TAPS * SIDE * 16];                                                           \
        for (size_t j = 0; j < SIDE; j++)                                                          \
            winograd##TAPS##_collect1(scratch + j * 16, SIDE * 16, u + j * u_step, SIDE * u_step); \
        for (size_t i = 0; i < TAPS; i++)                                                          \
            winograd##TAPS##_collect1(g + i * g_row, g_step, scratch + i * SIDE * 16, 16);         \
    }

WINOGRAD(3, 6)
WINOGRAD(2, 5)
#undef WINOGRAD
