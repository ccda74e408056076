/* The matrix product of the convolutions (gemm.h); included once per instruction set. A block of
 * SCP_SIMD_ROWS rows x SCP_SIMD_PANELS panels stays in registers over the whole sum. */

/* Terms ahead that rows side by side are prefetched: every term is in another line, and the CPU
 * does not foresee that (15 to 20 % in wide layers). */
#define GEMM_AHEAD 24
#define GEMM_INLINE static inline __attribute__((always_inline))
/* Unrolled, or the sums of a block would not stay in registers. */
#define GEMM_EACH(i, count) _Pragma("GCC unroll 16") for (size_t i = 0; i < (count); i++)

/* sums += the outer product of a column of A and a row of b. Row i of A lies at
 * at[i / 3] + i % 3 * a_row: three rows need one address. */
GEMM_INLINE void gemm_step(f32x16 sums[SCP_SIMD_ROWS][SCP_SIMD_PANELS], const float *const at[4],
                           size_t a_row, const float *b, size_t b_panel, const size_t rows,
                           const size_t panels) {
    f32x16 row[SCP_SIMD_PANELS];
    GEMM_EACH(p, panels) {
        row[p] = f32x16_load(b + p * b_panel);
    }
    GEMM_EACH(i, rows) {
        const f32x16 x = f32x16_set(at[i / 3][i % 3 * a_row]);
        GEMM_EACH(p, panels) {
            sums[i][p] = f32x16_fma(x, row[p], sums[i][p]);
        }
    }
}

/* A block of `rows` x `panels`, both constants, as is whether a_row or a_step is 1. Rows whose
 * terms lie side by side: those of the next block are prefetched, a line of each every 16 terms. */
GEMM_INLINE void gemm_block(float *c, const float *a, const float *b,
                            const struct scp_gemm_form *form, const float *start, size_t a_row,
                            size_t a_step, const size_t rows, const size_t panels) {
    f32x16 sums[SCP_SIMD_ROWS][SCP_SIMD_PANELS];
    const size_t b_panel = form->b_panel;
    GEMM_EACH(i, rows) {
        GEMM_EACH(p, panels) {
            sums[i][p] =
                f32x16_load(start ? start + p * 16 : c + i * form->c_row + p * form->c_panel);
        }
    }
    for (size_t run = 0; run < form->count; run++) {
        const float *at[4];
        GEMM_EACH(i, (rows + 2) / 3) {
            at[i] = a + form->offsets[run] + 3 * i * a_row;
        }
        for (size_t k = 0; k < form->length; k++, b += 16) {
            if (a_step == 1 && k % 16 == 0) {
                GEMM_EACH(i, rows) {
                    __builtin_prefetch(at[i / 3] + (i % 3 + rows) * a_row);
                }
            }
            gemm_step(sums, at, a_row, b, b_panel, rows, panels);
            if (a_row == 1) {
                __builtin_prefetch(at[0] + GEMM_AHEAD * a_step);
                if (rows > 9) __builtin_prefetch(at[3] + GEMM_AHEAD * a_step);
            }
            GEMM_EACH(i, (rows + 2) / 3) {
                at[i] += a_step;
            }
        }
    }
    GEMM_EACH(i, rows) {
        GEMM_EACH(p, panels) {
            f32x16_store(c + i * form->c_row + p * form->c_panel, sums[i][p]);
        }
    }
}

/* Rows left over, for sets whose blocks are that large; the others never get there. */
#define GEMM_ROWS(n) ((n) < SCP_SIMD_ROWS ? (n) : 1)

/* All rows of `panels` panels. */
GEMM_INLINE void gemm_rows(float *c, const float *a, size_t rows, const float *b,
                           const struct scp_gemm_form *form, const float *start, size_t a_row,
                           size_t a_step, const size_t panels) {
    for (; rows >= SCP_SIMD_ROWS; rows -= SCP_SIMD_ROWS) {
        gemm_block(c, a, b, form, start, a_row, a_step, SCP_SIMD_ROWS, panels);
        c += SCP_SIMD_ROWS * form->c_row, a += SCP_SIMD_ROWS * a_row;
    }
    if (rows == 1) gemm_block(c, a, b, form, start, a_row, a_step, GEMM_ROWS(1), panels);
    if (rows == 2) gemm_block(c, a, b, form, start, a_row, a_step, GEMM_ROWS(2), panels);
    if (rows == 3) gemm_block(c, a, b, form, start, a_row, a_step, GEMM_ROWS(3), panels);
    if (rows == 4) gemm_block(c, a, b, form, start, a_row, a_step, GEMM_ROWS(4), panels);
    if (rows == 5) gemm_block(c, a, b, form, start, a_row, a_step, GEMM_ROWS(5), panels);
    if (rows == 6) gemm_block(c, a, b, form, start, a_row, a_step, GEMM_ROWS(6), panels);
    if (rows == 7) gemm_block(c, a, b, form, start, a_row, a_step, GEMM_ROWS(7), panels);
    if (rows == 8) gemm_block(c, a, b, form, start, a_row, a_step, GEMM_ROWS(8), panels);
    if (rows == 9) gemm_block(c, a, b, form, start, a_row, a_step, GEMM_ROWS(9), panels);
    if (rows == 10) gemm_block(c, a, b, form, start, a_row, a_step, GEMM_ROWS(10), panels);
    if (rows == 11) gemm_block(c, a, b, form, start, a_row, a_step, GEMM_ROWS(11), panels);
}

/* What is known to be 1 needs no register. Not inlined, for they are long. */
static __attribute__((noinline)) void gemm_along(float *c, const float *a, size_t rows,
                                                 const float *b, const struct scp_gemm_form *form,
                                                 const float *start, size_t panels) {
    if (panels == 1)
        gemm_rows(c, a, rows, b, form, start, form->a_row, 1, 1);
    else
        gemm_rows(c, a, rows, b, form, start, form->a_row, 1, SCP_SIMD_PANELS);
}
static __attribute__((noinline)) void gemm_columns(float *c, const float *a, size_t rows,
                                                   const float *b, const struct scp_gemm_form *form,
                                                   const float *start, size_t panels) {
    if (panels == 1)
        gemm_rows(c, a, rows, b, form, start, 1, form->a_step, 1);
    else
        gemm_rows(c, a, rows, b, form, start, 1, form->a_step, SCP_SIMD_PANELS);
}

static void gemm_multiply(float *c, const float *a, size_t rows, const float *b,
                          const struct scp_gemm_form *form, const float *start) {
    for (size_t panel = 0, count; panel < form->panels; panel += count) {
        count = form->panels - panel < SCP_SIMD_PANELS ? 1 : SCP_SIMD_PANELS;
        (form->a_step == 1 ? gemm_along : gemm_columns)(c + panel * form->c_panel, a, rows,
                                                        b + panel * form->b_panel, form,
                                                        start ? start + panel * 16 : NULL, count);
    }
}
