/* The matrix product of the convolutions; included once per instruction set. A block of
 * SCP_SIMD_ROWS rows x SCP_SIMD_PANELS panels stays in registers over the whole sum. */

/* Steps ahead that rows side by side are asked for: every step is in another line, and the CPU does
 * not foresee that. */
#define AHEAD 24

#define EACH_ROW(X) X(0) X(1) X(2) X(3) X(4) X(5) X(6) X(7) X(8) X(9) X(10) X(11)

static inline __attribute__((always_inline)) void
gemm_block(float *c, size_t c_row, const float *a, size_t a_row, size_t a_step, const float *b,
           const struct scp_gemm_form *form, const float *start, const int rows, const int along,
           const int panels) {
    float *c1 = c + form->c_panel;
    const float *b1 = b + form->b_panel;
#define ROW(i) f32x16 s##i = f32x16_set(0), t##i = s##i;
    EACH_ROW(ROW)
#undef ROW
    if (start) {
        const f32x16 first = f32x16_load(start);
        const f32x16 second = panels > 1 ? f32x16_load(start + 16) : first;
#define ROW(i) s##i = first, t##i = second;
        EACH_ROW(ROW)
#undef ROW
    } else {
#define ROW(i)                                                                                     \
    if (rows > i) s##i = f32x16_load(c + i * c_row);                                               \
    if (rows > i && panels > 1) t##i = f32x16_load(c1 + i * c_row);
        EACH_ROW(ROW)
#undef ROW
    }
    for (size_t run = 0; run < form->count; run++) {
        const float *p0 = a + form->offsets[run], *p3 = p0 + 3 * a_row, *p6 = p3, *p9 = p3;
        if (rows > 6) p6 = p3 + 3 * a_row;
        if (rows > 9) p9 = p6 + 3 * a_row;
#define ROW(i)                                                                                     \
    if (rows > i) {                                                                                \
        const float *p = i < 3 ? p0 : i < 6 ? p3 : i < 9 ? p6 : p9;                                \
        const f32x16 x = f32x16_set(p[(size_t)(i % 3) * a_row]);                                   \
        s##i = f32x16_fma(x, v, s##i);                                                             \
        if (panels > 1) t##i = f32x16_fma(x, w, t##i);                                             \
    }
#define STEP                                                                                       \
    {                                                                                              \
        const f32x16 v = f32x16_load(b), w = panels > 1 ? f32x16_load(b1) : v;                     \
        EACH_ROW(ROW)                                                                              \
        (void)w;                                                                                   \
        if (!along) {                                                                              \
            __builtin_prefetch(p0 + AHEAD * a_step);                                               \
            if (rows > 9) __builtin_prefetch(p9 + AHEAD * a_step);                                 \
        }                                                                                          \
        b += 16, b1 += 16, p0 += a_step, p3 += a_step, p6 += a_step, p9 += a_step;                 \
    }
        size_t k = form->length;
        if (along) { /* the next block's rows are asked for, a line of each every 16 steps */
#define NEXT(i)                                                                                    \
    if (rows > i) {                                                                                \
        const float *p = i < 3 ? p0 : i < 6 ? p3 : i < 9 ? p6 : p9;                                \
        __builtin_prefetch(p + (size_t)(i % 3 + rows) * a_row);                                    \
    }
            for (; k >= 16; k -= 16) {
                EACH_ROW(NEXT)
                for (int four = 0; four < 4; four++) {
                    STEP STEP STEP STEP
                }
            }
#undef NEXT
        }
        for (; k >= 4; k -= 4) {
            STEP STEP STEP STEP
        }
        for (; k > 0; k--) STEP
#undef STEP
#undef ROW
    }
#define ROW(i)                                                                                     \
    if (rows > i) f32x16_store(c + i * c_row, s##i);                                               \
    if (rows > i && panels > 1) f32x16_store(c1 + i * c_row, t##i);
    EACH_ROW(ROW)
#undef ROW
}

/* The rows that do not fill a block; not inlined, for it is long. */
static __attribute__((noinline)) void gemm_rest(float *c, size_t c_row, const float *a,
                                                size_t a_row, size_t a_step, size_t rows,
                                                const float *b, const struct scp_gemm_form *form,
                                                const float *start, int panels) {
#define REST(n)                                                                                    \
    case n:                                                                                        \
        if (n >= SCP_SIMD_ROWS) break;                                                             \
        if (SCP_SIMD_PANELS > 1 && panels > 1)                                                     \
            gemm_block(c, c_row, a, a_row, a_step, b, form, start, n, 0, SCP_SIMD_PANELS);         \
        else                                                                                       \
            gemm_block(c, c_row, a, a_row, a_step, b, form, start, n, 0, 1);                       \
        break;
    switch (rows) {
        REST(1)
        REST(2)
        REST(3) REST(4) REST(5) REST(6) REST(7) REST(8) REST(9) REST(10) REST(11) default : break;
    }
#undef REST
}

static inline __attribute__((always_inline)) void
gemm_rows(float *c, size_t c_row, const float *a, size_t a_row, size_t a_step, size_t rows,
          const float *b, const struct scp_gemm_form *form, const float *start, const int along,
          const int panels) {
    for (; rows >= SCP_SIMD_ROWS; rows -= SCP_SIMD_ROWS) {
        gemm_block(c, c_row, a, a_row, a_step, b, form, start, SCP_SIMD_ROWS, along, panels);
        c += SCP_SIMD_ROWS * c_row, a += SCP_SIMD_ROWS * a_row;
    }
    if (rows) gemm_rest(c, c_row, a, a_row, a_step, rows, b, form, start, panels);
}

static void gemm(float *c, size_t c_row, const float *a, size_t a_row, size_t a_step, size_t rows,
                 const float *b, const struct scp_gemm_form *form, const float *start) {
    size_t panel = 0;
    if (SCP_SIMD_PANELS > 1)
        for (; panel + 2 <= form->panels; panel += 2) {
            const float *first = start ? start + panel * 16 : NULL;
            if (a_step == 1)
                gemm_rows(c, c_row, a, a_row, 1, rows, b, form, first, 1, SCP_SIMD_PANELS);
            else
                gemm_rows(c, c_row, a, a_row, a_step, rows, b, form, first, 0, SCP_SIMD_PANELS);
            b += 2 * form->b_panel, c += 2 * form->c_panel;
        }
    for (; panel < form->panels; panel++, b += form->b_panel, c += form->c_panel) {
        const float *first = start ? start + panel * 16 : NULL;
        if (a_step == 1)
            gemm_rows(c, c_row, a, a_row, 1, rows, b, form, first, 1, 1);
        else
            gemm_rows(c, c_row, a, a_row, a_step, rows, b, form, first, 0, 1);
    }
}
