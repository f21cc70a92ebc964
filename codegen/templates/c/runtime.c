static inline @real @infinity(void)
{
    return (@real)HUGE_VAL;
}

/* 2^n of a whole number n, by the bits of the exponent. */
static inline @real @two_to(@real n)
{
    union { @real value; @bits bits; } found;
    found.value = n + @ROUNDING;
    found.bits = (found.bits + @BIAS) << @MANTISSA;
    return found.value;
}

/* The nearest whole number. */
static inline @real @nearest(@real x)
{
    return (x + @ROUNDING) - @ROUNDING;
}

/* e^r - 1 - r for |r| <= log(2) / 2, by its series. */
static inline @real @rest_of_exp(@real r)
{
#ifdef @FLOAT
    @real p = 1.98412698e-4f;
#else
    @real p = 1.6059043836821613e-10;
    p = p * r + 2.08767569878681e-09;
    p = p * r + 2.505210838544172e-08;
    p = p * r + 2.755731922398589e-07;
    p = p * r + 2.7557319223985893e-06;
    p = p * r + 2.48015873015873e-05;
    p = p * r + 1.984126984126984e-04;
#endif
    p = p * r + (@real)1.3888888888888889e-03;
    p = p * r + (@real)8.333333333333333e-03;
    p = p * r + (@real)4.1666666666666664e-02;
    p = p * r + (@real)1.6666666666666666e-01;
    p = p * r + (@real)0.5;
    return r * r * p;
}

/* e^x within 1 ulp: 2^n e^r, where 2^n in two factors reaches the smallest and largest numbers.
   What rounding takes from 1 + r is added again. */
static inline @real @exp(@real x)
{
    const @real y = x < @LEAST ? @LEAST : x > @MOST ? @MOST : x;
    const @real n = @nearest(y * (@real)1.4426950408889634);
    const @real high = y - n * @LOG2_HIGH;
    const @real r = high - n * @LOG2_LOW;
    const @real sum = 1 + r;
    const @real lost = (r - (sum - 1)) + ((high - r) - n * @LOG2_LOW);
    const @real half = @nearest(n * (@real)0.5);
    return (sum + (lost + @rest_of_exp(r))) * @two_to(half) * @two_to(n - half);
}

/* tanh(x) within 2 ulp: -m / (2 + m) with m = e^(-2 |x|) - 1, which loses no digits near zero.
   What rounding takes from m and from 2 + m is made up for. */
static inline @real @tanh(@real x)
{
    const @real y = -2 * (x < 0 ? -x : x);
    const @real z = y < -40 ? -40 : y;
    const @real n = @nearest(z * (@real)1.4426950408889634);
    const @real high = z - n * @LOG2_HIGH;
    const @real r = high - n * @LOG2_LOW;
    const @real scale = @two_to(n);
    const @real rest = @rest_of_exp(r) + ((high - r) - n * @LOG2_LOW);
    const @real q = r + rest;
    const @real m = scale * q + (scale - 1);
    const @real m_lost = (((scale - 1) - m) + scale * q) + scale * ((r - q) + rest);
    const @real d = 2 + m;
    const @real d_lost = (2 - d) + m;
    const @real f = -m / d;
    const @real g = (1 + f) * (@real)0.5;
    const @real found = f - g * (f * d_lost + 2 * g * m_lost);
    return x < 0 ? -found : found;
}

/* 1 / (1 + e^-x) within 2 ulp; what rounding takes from 1 + e is made up for. */
static inline @real @sigmoid(@real x)
{
    const @real e = @exp(x < 0 ? x : -x);
    const @real d = 1 + e;
    const @real d_lost = (1 - d) + e;
    const @real f = (x < 0 ? e : 1) / d;
    return f - f * d_lost * (x < 0 ? 1 - f : f);
}

static inline @real @sqrt(@real x)
{
    return @MATH(sqrt)(x);
}

static inline @real @pow(@real x, @real exponent)
{
    return @MATH(pow)(x, exponent);
}

static inline @real @square(@real x)
{
    return x * x;
}

/* x^n for a whole number n > 0. */
static inline @real @power(@real x, int n)
{
    @real found = 1;
    for (; n > 0; n /= 2) {
        found = n % 2 ? found * x : found;
        x = x * x;
    }
    return found;
}

/* The greater of two numbers, NaN if one is. */
static inline @real @greater(@real a, @real b)
{
    return a > b || a != a ? a : b;
}

static inline long @larger(long a, long b)
{
    return a > b ? a : b;
}

static inline long @smaller(long a, long b)
{
    return a < b ? a : b;
}

static inline void @copy(@real *to, const @real *from, long count)
{
    for (long n = 0; n < count; ++n)
        to[n] = from[n];
}

static inline void @clear(@real *to, long count)
{
    for (long n = 0; n < count; ++n)
        to[n] = 0;
}

/* A tile of a product of matrices, of so many rows and so many times @LANES columns: its sums stay
   in registers. */
@INLINE void @tile(const int rows, const int count, long depth, @real *@RESTRICT y, long y_row,
    const @real *@RESTRICT x, long x_row, long x_step, const @real *@RESTRICT w, long w_row)
{
    const @lanes zero = {0};
    @lanes sums[8][4];
    for (int r = 0; r < rows; ++r)
        for (int c = 0; c < count; ++c)
            sums[r][c] = zero;
    for (long k = 0; k < depth; ++k) {
        @lanes along[4];
        for (int c = 0; c < count; ++c)
            along[c] = *(const @lanes *)(w + k * w_row + c * @LANES);
        for (int r = 0; r < rows; ++r)
            for (int c = 0; c < count; ++c)
                sums[r][c] += x[r * x_row + k * x_step] * along[c];
    }
    for (int r = 0; r < rows; ++r)
        for (int c = 0; c < count; ++c)
            *(@lanes *)(y + r * y_row + c * @LANES) += sums[r][c];
}

/* Some columns of a product of matrices, as many rows at a time as there are registers for. */
@INLINE void @columns(const int count, const int most, long rows, long depth,
    @real *@RESTRICT y, long y_row, const @real *@RESTRICT x, long x_row, long x_step,
    const @real *@RESTRICT w, long w_row)
{
    long r = 0;
    if (most == 8)
        for (; r + 8 <= rows; r += 8)
            @tile(8, count, depth, y + r * y_row, y_row, x + r * x_row, x_row, x_step, w, w_row);
    for (; r + 4 <= rows; r += 4)
        @tile(4, count, depth, y + r * y_row, y_row, x + r * x_row, x_row, x_step, w, w_row);
    for (; r < rows; ++r)
        @tile(1, count, depth, y + r * y_row, y_row, x + r * x_row, x_row, x_step, w, w_row);
}

/* y[row, column] += sum of x[row, k] w[k, column] over the depth k; rows, and the places k of x,
   stand as far apart as the arguments behind their arrays say, columns side by side. */
static void @tiles(long rows, long columns, long depth, @real *@RESTRICT y, long y_row,
    const @real *@RESTRICT x, long x_row, long x_step, const @real *@RESTRICT w, long w_row)
{
    long c = 0;
#ifdef @BYTES
    /* For many rows a part of w is brought together first: it is read again and again. */
    @real part[@DEPTH * 2 * @LANES];
    if (rows >= 16)
        for (; c + 2 * @LANES <= columns; c += 2 * @LANES)
            for (long k = 0; k < depth; k += @DEPTH) {
                const long deep = depth - k < @DEPTH ? depth - k : @DEPTH;
                for (long n = 0; n < deep; ++n)
                    for (long lane = 0; lane < 2 * @LANES; ++lane)
                        part[n * 2 * @LANES + lane] = w[(k + n) * w_row + c + lane];
                @columns(2, 8, rows, deep, y + c, y_row, x + k * x_step, x_row, x_step, part,
                    2 * @LANES);
            }
#endif
    if (rows < 4)
        for (; c + 4 * @LANES <= columns; c += 4 * @LANES)
            @columns(4, 4, rows, depth, y + c, y_row, x, x_row, x_step, w + c, w_row);
    for (; c + 2 * @LANES <= columns; c += 2 * @LANES)
        @columns(2, 8, rows, depth, y + c, y_row, x, x_row, x_step, w + c, w_row);
    for (; c + @LANES <= columns; c += @LANES)
        @columns(1, 8, rows, depth, y + c, y_row, x, x_row, x_step, w + c, w_row);
    for (long r = 0; r < rows; ++r)
        for (long k = 0; k < depth; ++k)
            for (long last = c; last < columns; ++last)
                y[r * y_row + last] += x[r * x_row + k * x_step] * w[k * w_row + last];
}

/* The same by a BLAS, where one is given and there is much to do: it counts columns first. */
static void @multiply(@gemm *gemm, long rows, long columns, long depth, @real *@RESTRICT y,
    long y_row, const @real *@RESTRICT x, long x_row, long x_step, const @real *@RESTRICT w,
    long w_row)
{
    const int is_straight = x_step == 1 && x_row >= depth, is_turned = x_row == 1 && x_step >= rows;
    if (gemm && rows * columns > @MUCH / depth && (is_straight || is_turned) && y_row >= columns) {
        const int m = (int)columns, n = (int)rows, k = (int)depth, of_w = (int)w_row;
        const int of_x = (int)(is_straight ? x_row : x_step), of_y = (int)y_row;
        const @real one = 1;
        gemm("N", is_straight ? "N" : "T", &m, &n, &k, &one, w, &of_w, x, &of_x, &one, y, &of_y);
        return;
    }
    @tiles(rows, columns, depth, y, y_row, x, x_row, x_step, w, w_row);
}
