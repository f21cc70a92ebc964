"""lstm_variants: a recurrent network with 388 parameters.

Inputs x (T, B, 2); outputs normalised (T, B, 3).

Arrays are laid out (time, batch, width); T, B are the numbers of steps and of sequences.
Parameters, inputs, targets and gradients are dicts of arrays by name, all of one dtype:
float32, float64, or complex128 (for derivatives by complex step).

Equations; d_x stands for the derivative of the loss by x, and a term with a condition in
brackets is zero where the condition does not hold.
t = 0..T-1 steps, b = 0..B-1 sequences; sizes N_x = 2, N_coupled = 4, N_i_projected = 5,
N_projected = 2, N_normalised = 3.

  (1)  n_f_coupled[t,b,i] = sum_j W_f_coupled_x[i,j]*x[t,b,j]
           + sum_j U_f_coupled[i,j]*coupled[t-1,b,j] + b_f_coupled[i]
  (2)  f_coupled[t,b,i] = sigmoid(n_f_coupled[t,b,i])
  (3)  n_g_coupled[t,b,i] = sum_j W_g_coupled_x[i,j]*x[t,b,j]
           + sum_j U_g_coupled[i,j]*coupled[t-1,b,j] + b_g_coupled[i]
  (4)  g_coupled[t,b,i] = tanh(n_g_coupled[t,b,i])
  (5)  n_o_coupled[t,b,i] = sum_j W_o_coupled_x[i,j]*x[t,b,j]
           + sum_j U_o_coupled[i,j]*coupled[t-1,b,j] + b_o_coupled[i]
  (6)  o_coupled[t,b,i] = sigmoid(n_o_coupled[t,b,i])
  (7)  c_coupled[t,b,i] = c_coupled[t-1,b,i]*f_coupled[t,b,i]
           + g_coupled[t,b,i]*(1 - f_coupled[t,b,i])
  (8)  coupled[t,b,i] = o_coupled[t,b,i]*tanh(c_coupled[t,b,i])
  (9)  n_i_projected[t,b,i] = sum_j W_i_projected_coupled[i,j]*coupled[t,b,j]
           + sum_j W_i_projected_x[i,j]*x[t,b,j] + sum_j U_i_projected[i,j]*projected[t-1,b,j]
           + b_i_projected[i]
 (10)  i_projected[t,b,i] = sigmoid(n_i_projected[t,b,i])
 (11)  n_f_projected[t,b,i] = sum_j W_f_projected_coupled[i,j]*coupled[t,b,j]
           + sum_j W_f_projected_x[i,j]*x[t,b,j] + sum_j U_f_projected[i,j]*projected[t-1,b,j]
           + b_f_projected[i]
 (12)  f_projected[t,b,i] = sigmoid(n_f_projected[t,b,i])
 (13)  n_g_projected[t,b,i] = sum_j W_g_projected_coupled[i,j]*coupled[t,b,j]
           + sum_j W_g_projected_x[i,j]*x[t,b,j] + sum_j U_g_projected[i,j]*projected[t-1,b,j]
           + b_g_projected[i]
 (14)  g_projected[t,b,i] = tanh(n_g_projected[t,b,i])
 (15)  n_o_projected[t,b,i] = sum_j W_o_projected_coupled[i,j]*coupled[t,b,j]
           + sum_j W_o_projected_x[i,j]*x[t,b,j] + sum_j U_o_projected[i,j]*projected[t-1,b,j]
           + b_o_projected[i]
 (16)  o_projected[t,b,i] = sigmoid(n_o_projected[t,b,i])
 (17)  c_projected[t,b,i] = c_projected[t-1,b,i]*f_projected[t,b,i]
           + g_projected[t,b,i]*i_projected[t,b,i]
 (18)  o_tanh_c_projected[t,b,i] = o_projected[t,b,i]*tanh(c_projected[t,b,i])
 (19)  projected[t,b,i] = sum_j P_projected[i,j]*o_tanh_c_projected[t,b,j]
 (20)  n_i_normalised[t,b,i] = sum_j W_i_normalised_projected[i,j]*projected[t,b,j]
           + sum_j W_i_normalised_x_1[i,j]*x[t-1,b,j]
           + sum_j U_i_normalised[i,j]*normalised[t-1,b,j]
 (21)  centred_i_normalised[t,b,i] = n_i_normalised[t,b,i]
           - sum_j n_i_normalised[t,b,j]/N_normalised
 (22)  variance_i_normalised[t,b] = sum_i centred_i_normalised[t,b,i]^2/N_normalised
 (23)  i_normalised[t,b,i] = sigmoid(b_i_normalised[i] + s_i_normalised[i]*centred_i_normalised[t,b,i]/sqrt(1e-05 + variance_i_normalised[t,b]))
 (24)  n_f_normalised[t,b,i] = sum_j W_f_normalised_projected[i,j]*projected[t,b,j]
           + sum_j W_f_normalised_x_1[i,j]*x[t-1,b,j]
           + sum_j U_f_normalised[i,j]*normalised[t-1,b,j]
 (25)  centred_f_normalised[t,b,i] = n_f_normalised[t,b,i]
           - sum_j n_f_normalised[t,b,j]/N_normalised
 (26)  variance_f_normalised[t,b] = sum_i centred_f_normalised[t,b,i]^2/N_normalised
 (27)  f_normalised[t,b,i] = sigmoid(b_f_normalised[i] + s_f_normalised[i]*centred_f_normalised[t,b,i]/sqrt(1e-05 + variance_f_normalised[t,b]))
 (28)  n_g_normalised[t,b,i] = sum_j W_g_normalised_projected[i,j]*projected[t,b,j]
           + sum_j W_g_normalised_x_1[i,j]*x[t-1,b,j]
           + sum_j U_g_normalised[i,j]*normalised[t-1,b,j]
 (29)  centred_g_normalised[t,b,i] = n_g_normalised[t,b,i]
           - sum_j n_g_normalised[t,b,j]/N_normalised
 (30)  variance_g_normalised[t,b] = sum_i centred_g_normalised[t,b,i]^2/N_normalised
 (31)  g_normalised[t,b,i] = tanh(b_g_normalised[i] + s_g_normalised[i]*centred_g_normalised[t,b,i]/sqrt(1e-05 + variance_g_normalised[t,b]))
 (32)  n_o_normalised[t,b,i] = sum_j W_o_normalised_projected[i,j]*projected[t,b,j]
           + sum_j W_o_normalised_x_1[i,j]*x[t-1,b,j]
           + sum_j U_o_normalised[i,j]*normalised[t-1,b,j]
 (33)  centred_o_normalised[t,b,i] = n_o_normalised[t,b,i]
           - sum_j n_o_normalised[t,b,j]/N_normalised
 (34)  variance_o_normalised[t,b] = sum_i centred_o_normalised[t,b,i]^2/N_normalised
 (35)  o_normalised[t,b,i] = sigmoid(b_o_normalised[i] + s_o_normalised[i]*centred_o_normalised[t,b,i]/sqrt(1e-05 + variance_o_normalised[t,b]))
 (36)  c_normalised[t,b,i] = c_normalised[t-1,b,i]*f_normalised[t,b,i]
           + g_normalised[t,b,i]*i_normalised[t,b,i]
 (37)  centred_normalised[t,b,i] = c_normalised[t,b,i] - sum_j c_normalised[t,b,j]/N_normalised
 (38)  variance_normalised[t,b] = sum_i centred_normalised[t,b,i]^2/N_normalised
 (39)  normalised[t,b,i] = o_normalised[t,b,i]*tanh(b_c_normalised[i] + s_c_normalised[i]*centred_normalised[t,b,i]/sqrt(1e-05 + variance_normalised[t,b]))
 (40)  loss = sum_t,b,i (normalised[t,b,i] - target_normalised[t,b,i])^2/(B*N_normalised*T)
 (41)  d_normalised[t,b,i] = 2*(normalised[t,b,i] - target_normalised[t,b,i])/(B*N_normalised*T)
           + sum_j U_o_normalised[j,i]*d_n_o_normalised[t+1,b,j] [t <= T-2]
           + sum_j U_g_normalised[j,i]*d_n_g_normalised[t+1,b,j] [t <= T-2]
           + sum_j U_f_normalised[j,i]*d_n_f_normalised[t+1,b,j] [t <= T-2]
           + sum_j U_i_normalised[j,i]*d_n_i_normalised[t+1,b,j] [t <= T-2]
 (42)  d_variance_normalised[t,b] = -sum_i s_c_normalised[i]*d_normalised[t,b,i]*centred_normalised[t,b,i]*o_normalised[t,b,i]*(1 - tanh(b_c_normalised[i] + s_c_normalised[i]*centred_normalised[t,b,i]/sqrt(1e-05 + variance_normalised[t,b]))^2)/(2*(1e-05 + variance_normalised[t,b])^(3/2))
 (43)  d_centred_normalised[t,b,i] = s_c_normalised[i]*d_normalised[t,b,i]*o_normalised[t,b,i]*(1 - tanh(b_c_normalised[i] + s_c_normalised[i]*centred_normalised[t,b,i]/sqrt(1e-05 + variance_normalised[t,b]))^2)/sqrt(1e-05 + variance_normalised[t,b])
           + 2*d_variance_normalised[t,b]*centred_normalised[t,b,i]/N_normalised
 (44)  d_c_normalised[t,b,i] = d_centred_normalised[t,b,i]
           - sum_j d_centred_normalised[t,b,j]/N_normalised
           + d_c_normalised[t+1,b,i]*f_normalised[t+1,b,i] [t <= T-2]
 (45)  d_o_normalised[t,b,i] = d_normalised[t,b,i]*tanh(b_c_normalised[i] + s_c_normalised[i]*centred_normalised[t,b,i]/sqrt(1e-05 + variance_normalised[t,b]))
 (46)  d_variance_o_normalised[t,b] = -sum_i s_o_normalised[i]*d_o_normalised[t,b,i]*centred_o_normalised[t,b,i]*o_normalised[t,b,i]*(1 - o_normalised[t,b,i])/(2*(1e-05 + variance_o_normalised[t,b])^(3/2))
 (47)  d_centred_o_normalised[t,b,i] = s_o_normalised[i]*d_o_normalised[t,b,i]*o_normalised[t,b,i]*(1 - o_normalised[t,b,i])/sqrt(1e-05 + variance_o_normalised[t,b])
           + 2*d_variance_o_normalised[t,b]*centred_o_normalised[t,b,i]/N_normalised
 (48)  d_n_o_normalised[t,b,i] = d_centred_o_normalised[t,b,i]
           - sum_j d_centred_o_normalised[t,b,j]/N_normalised
 (49)  d_g_normalised[t,b,i] = d_c_normalised[t,b,i]*i_normalised[t,b,i]
 (50)  d_variance_g_normalised[t,b] = -sum_i s_g_normalised[i]*d_g_normalised[t,b,i]*centred_g_normalised[t,b,i]*(1 - g_normalised[t,b,i]^2)/(2*(1e-05 + variance_g_normalised[t,b])^(3/2))
 (51)  d_centred_g_normalised[t,b,i] = s_g_normalised[i]*d_g_normalised[t,b,i]*(1 - g_normalised[t,b,i]^2)/sqrt(1e-05 + variance_g_normalised[t,b])
           + 2*d_variance_g_normalised[t,b]*centred_g_normalised[t,b,i]/N_normalised
 (52)  d_n_g_normalised[t,b,i] = d_centred_g_normalised[t,b,i]
           - sum_j d_centred_g_normalised[t,b,j]/N_normalised
 (53)  d_f_normalised[t,b,i] = d_c_normalised[t,b,i]*c_normalised[t-1,b,i]
 (54)  d_variance_f_normalised[t,b] = -sum_i s_f_normalised[i]*d_f_normalised[t,b,i]*centred_f_normalised[t,b,i]*f_normalised[t,b,i]*(1 - f_normalised[t,b,i])/(2*(1e-05 + variance_f_normalised[t,b])^(3/2))
 (55)  d_centred_f_normalised[t,b,i] = s_f_normalised[i]*d_f_normalised[t,b,i]*f_normalised[t,b,i]*(1 - f_normalised[t,b,i])/sqrt(1e-05 + variance_f_normalised[t,b])
           + 2*d_variance_f_normalised[t,b]*centred_f_normalised[t,b,i]/N_normalised
 (56)  d_n_f_normalised[t,b,i] = d_centred_f_normalised[t,b,i]
           - sum_j d_centred_f_normalised[t,b,j]/N_normalised
 (57)  d_i_normalised[t,b,i] = d_c_normalised[t,b,i]*g_normalised[t,b,i]
 (58)  d_variance_i_normalised[t,b] = -sum_i s_i_normalised[i]*d_i_normalised[t,b,i]*centred_i_normalised[t,b,i]*i_normalised[t,b,i]*(1 - i_normalised[t,b,i])/(2*(1e-05 + variance_i_normalised[t,b])^(3/2))
 (59)  d_centred_i_normalised[t,b,i] = s_i_normalised[i]*d_i_normalised[t,b,i]*i_normalised[t,b,i]*(1 - i_normalised[t,b,i])/sqrt(1e-05 + variance_i_normalised[t,b])
           + 2*d_variance_i_normalised[t,b]*centred_i_normalised[t,b,i]/N_normalised
 (60)  d_n_i_normalised[t,b,i] = d_centred_i_normalised[t,b,i]
           - sum_j d_centred_i_normalised[t,b,j]/N_normalised
 (61)  d_projected[t,b,i] = sum_j W_o_normalised_projected[j,i]*d_n_o_normalised[t,b,j]
           + sum_j W_g_normalised_projected[j,i]*d_n_g_normalised[t,b,j]
           + sum_j W_f_normalised_projected[j,i]*d_n_f_normalised[t,b,j]
           + sum_j W_i_normalised_projected[j,i]*d_n_i_normalised[t,b,j]
           + sum_j U_o_projected[j,i]*d_n_o_projected[t+1,b,j] [t <= T-2]
           + sum_j U_g_projected[j,i]*d_n_g_projected[t+1,b,j] [t <= T-2]
           + sum_j U_f_projected[j,i]*d_n_f_projected[t+1,b,j] [t <= T-2]
           + sum_j U_i_projected[j,i]*d_n_i_projected[t+1,b,j] [t <= T-2]
 (62)  d_o_tanh_c_projected[t,b,i] = sum_j P_projected[j,i]*d_projected[t,b,j]
 (63)  d_c_projected[t,b,i] = d_o_tanh_c_projected[t,b,i]*o_projected[t,b,i]*(1 - tanh(c_projected[t,b,i])^2)
           + d_c_projected[t+1,b,i]*f_projected[t+1,b,i] [t <= T-2]
 (64)  d_o_projected[t,b,i] = d_o_tanh_c_projected[t,b,i]*tanh(c_projected[t,b,i])
 (65)  d_n_o_projected[t,b,i] = d_o_projected[t,b,i]*o_projected[t,b,i]*(1 - o_projected[t,b,i])
 (66)  d_g_projected[t,b,i] = d_c_projected[t,b,i]*i_projected[t,b,i]
 (67)  d_n_g_projected[t,b,i] = d_g_projected[t,b,i]*(1 - g_projected[t,b,i]^2)
 (68)  d_f_projected[t,b,i] = d_c_projected[t,b,i]*c_projected[t-1,b,i]
 (69)  d_n_f_projected[t,b,i] = d_f_projected[t,b,i]*f_projected[t,b,i]*(1 - f_projected[t,b,i])
 (70)  d_i_projected[t,b,i] = d_c_projected[t,b,i]*g_projected[t,b,i]
 (71)  d_n_i_projected[t,b,i] = d_i_projected[t,b,i]*i_projected[t,b,i]*(1 - i_projected[t,b,i])
 (72)  d_coupled[t,b,i] = sum_j W_o_projected_coupled[j,i]*d_n_o_projected[t,b,j]
           + sum_j W_g_projected_coupled[j,i]*d_n_g_projected[t,b,j]
           + sum_j W_f_projected_coupled[j,i]*d_n_f_projected[t,b,j]
           + sum_j W_i_projected_coupled[j,i]*d_n_i_projected[t,b,j]
           + sum_j U_o_coupled[j,i]*d_n_o_coupled[t+1,b,j] [t <= T-2]
           + sum_j U_g_coupled[j,i]*d_n_g_coupled[t+1,b,j] [t <= T-2]
           + sum_j U_f_coupled[j,i]*d_n_f_coupled[t+1,b,j] [t <= T-2]
 (73)  d_c_coupled[t,b,i] = d_coupled[t,b,i]*o_coupled[t,b,i]*(1 - tanh(c_coupled[t,b,i])^2)
           + d_c_coupled[t+1,b,i]*f_coupled[t+1,b,i] [t <= T-2]
 (74)  d_o_coupled[t,b,i] = d_coupled[t,b,i]*tanh(c_coupled[t,b,i])
 (75)  d_n_o_coupled[t,b,i] = d_o_coupled[t,b,i]*o_coupled[t,b,i]*(1 - o_coupled[t,b,i])
 (76)  d_g_coupled[t,b,i] = d_c_coupled[t,b,i]*(1 - f_coupled[t,b,i])
 (77)  d_n_g_coupled[t,b,i] = d_g_coupled[t,b,i]*(1 - g_coupled[t,b,i]^2)
 (78)  d_f_coupled[t,b,i] = d_c_coupled[t,b,i]*(c_coupled[t-1,b,i] - g_coupled[t,b,i])
 (79)  d_n_f_coupled[t,b,i] = d_f_coupled[t,b,i]*f_coupled[t,b,i]*(1 - f_coupled[t,b,i])
 (80)  d_x[t,b,i] = sum_j W_o_normalised_x_1[j,i]*d_n_o_normalised[t+1,b,j] [t <= T-2]
           + sum_j W_g_normalised_x_1[j,i]*d_n_g_normalised[t+1,b,j] [t <= T-2]
           + sum_j W_f_normalised_x_1[j,i]*d_n_f_normalised[t+1,b,j] [t <= T-2]
           + sum_j W_i_normalised_x_1[j,i]*d_n_i_normalised[t+1,b,j] [t <= T-2]
           + sum_j W_o_projected_x[j,i]*d_n_o_projected[t,b,j]
           + sum_j W_g_projected_x[j,i]*d_n_g_projected[t,b,j]
           + sum_j W_f_projected_x[j,i]*d_n_f_projected[t,b,j]
           + sum_j W_i_projected_x[j,i]*d_n_i_projected[t,b,j]
           + sum_j W_o_coupled_x[j,i]*d_n_o_coupled[t,b,j]
           + sum_j W_g_coupled_x[j,i]*d_n_g_coupled[t,b,j]
           + sum_j W_f_coupled_x[j,i]*d_n_f_coupled[t,b,j]
 (81)  d_W_f_coupled_x[i,j] = sum_t,b d_n_f_coupled[t,b,i]*x[t,b,j]
 (82)  d_U_f_coupled[i,j] = sum_t,b d_n_f_coupled[t,b,i]*coupled[t-1,b,j]
 (83)  d_b_f_coupled[i] = sum_t,b d_n_f_coupled[t,b,i]
 (84)  d_W_g_coupled_x[i,j] = sum_t,b d_n_g_coupled[t,b,i]*x[t,b,j]
 (85)  d_U_g_coupled[i,j] = sum_t,b d_n_g_coupled[t,b,i]*coupled[t-1,b,j]
 (86)  d_b_g_coupled[i] = sum_t,b d_n_g_coupled[t,b,i]
 (87)  d_W_o_coupled_x[i,j] = sum_t,b d_n_o_coupled[t,b,i]*x[t,b,j]
 (88)  d_U_o_coupled[i,j] = sum_t,b d_n_o_coupled[t,b,i]*coupled[t-1,b,j]
 (89)  d_b_o_coupled[i] = sum_t,b d_n_o_coupled[t,b,i]
 (90)  d_W_i_projected_coupled[i,j] = sum_t,b d_n_i_projected[t,b,i]*coupled[t,b,j]
 (91)  d_W_i_projected_x[i,j] = sum_t,b d_n_i_projected[t,b,i]*x[t,b,j]
 (92)  d_U_i_projected[i,j] = sum_t,b d_n_i_projected[t,b,i]*projected[t-1,b,j]
 (93)  d_b_i_projected[i] = sum_t,b d_n_i_projected[t,b,i]
 (94)  d_W_f_projected_coupled[i,j] = sum_t,b d_n_f_projected[t,b,i]*coupled[t,b,j]
 (95)  d_W_f_projected_x[i,j] = sum_t,b d_n_f_projected[t,b,i]*x[t,b,j]
 (96)  d_U_f_projected[i,j] = sum_t,b d_n_f_projected[t,b,i]*projected[t-1,b,j]
 (97)  d_b_f_projected[i] = sum_t,b d_n_f_projected[t,b,i]
 (98)  d_W_g_projected_coupled[i,j] = sum_t,b d_n_g_projected[t,b,i]*coupled[t,b,j]
 (99)  d_W_g_projected_x[i,j] = sum_t,b d_n_g_projected[t,b,i]*x[t,b,j]
(100)  d_U_g_projected[i,j] = sum_t,b d_n_g_projected[t,b,i]*projected[t-1,b,j]
(101)  d_b_g_projected[i] = sum_t,b d_n_g_projected[t,b,i]
(102)  d_W_o_projected_coupled[i,j] = sum_t,b d_n_o_projected[t,b,i]*coupled[t,b,j]
(103)  d_W_o_projected_x[i,j] = sum_t,b d_n_o_projected[t,b,i]*x[t,b,j]
(104)  d_U_o_projected[i,j] = sum_t,b d_n_o_projected[t,b,i]*projected[t-1,b,j]
(105)  d_b_o_projected[i] = sum_t,b d_n_o_projected[t,b,i]
(106)  d_P_projected[i,j] = sum_t,b d_projected[t,b,i]*o_tanh_c_projected[t,b,j]
(107)  d_s_i_normalised[i] = sum_t,b d_i_normalised[t,b,i]*centred_i_normalised[t,b,i]*i_normalised[t,b,i]*(1 - i_normalised[t,b,i])/sqrt(1e-05 + variance_i_normalised[t,b])
(108)  d_W_i_normalised_projected[i,j] = sum_t,b d_n_i_normalised[t,b,i]*projected[t,b,j]
(109)  d_W_i_normalised_x_1[i,j] = sum_t,b d_n_i_normalised[t,b,i]*x[t-1,b,j]
(110)  d_U_i_normalised[i,j] = sum_t,b d_n_i_normalised[t,b,i]*normalised[t-1,b,j]
(111)  d_b_i_normalised[i] = sum_t,b d_i_normalised[t,b,i]*i_normalised[t,b,i]*(1 - i_normalised[t,b,i])
(112)  d_s_f_normalised[i] = sum_t,b d_f_normalised[t,b,i]*centred_f_normalised[t,b,i]*f_normalised[t,b,i]*(1 - f_normalised[t,b,i])/sqrt(1e-05 + variance_f_normalised[t,b])
(113)  d_W_f_normalised_projected[i,j] = sum_t,b d_n_f_normalised[t,b,i]*projected[t,b,j]
(114)  d_W_f_normalised_x_1[i,j] = sum_t,b d_n_f_normalised[t,b,i]*x[t-1,b,j]
(115)  d_U_f_normalised[i,j] = sum_t,b d_n_f_normalised[t,b,i]*normalised[t-1,b,j]
(116)  d_b_f_normalised[i] = sum_t,b d_f_normalised[t,b,i]*f_normalised[t,b,i]*(1 - f_normalised[t,b,i])
(117)  d_s_g_normalised[i] = sum_t,b d_g_normalised[t,b,i]*centred_g_normalised[t,b,i]*(1 - g_normalised[t,b,i]^2)/sqrt(1e-05 + variance_g_normalised[t,b])
(118)  d_W_g_normalised_projected[i,j] = sum_t,b d_n_g_normalised[t,b,i]*projected[t,b,j]
(119)  d_W_g_normalised_x_1[i,j] = sum_t,b d_n_g_normalised[t,b,i]*x[t-1,b,j]
(120)  d_U_g_normalised[i,j] = sum_t,b d_n_g_normalised[t,b,i]*normalised[t-1,b,j]
(121)  d_b_g_normalised[i] = sum_t,b d_g_normalised[t,b,i]*(1 - g_normalised[t,b,i]^2)
(122)  d_s_o_normalised[i] = sum_t,b d_o_normalised[t,b,i]*centred_o_normalised[t,b,i]*o_normalised[t,b,i]*(1 - o_normalised[t,b,i])/sqrt(1e-05 + variance_o_normalised[t,b])
(123)  d_W_o_normalised_projected[i,j] = sum_t,b d_n_o_normalised[t,b,i]*projected[t,b,j]
(124)  d_W_o_normalised_x_1[i,j] = sum_t,b d_n_o_normalised[t,b,i]*x[t-1,b,j]
(125)  d_U_o_normalised[i,j] = sum_t,b d_n_o_normalised[t,b,i]*normalised[t-1,b,j]
(126)  d_b_o_normalised[i] = sum_t,b d_o_normalised[t,b,i]*o_normalised[t,b,i]*(1 - o_normalised[t,b,i])
(127)  d_s_c_normalised[i] = sum_t,b d_normalised[t,b,i]*centred_normalised[t,b,i]*o_normalised[t,b,i]*(1 - tanh(b_c_normalised[i] + s_c_normalised[i]*centred_normalised[t,b,i]/sqrt(1e-05 + variance_normalised[t,b]))^2)/sqrt(1e-05 + variance_normalised[t,b])
(128)  d_b_c_normalised[i] = sum_t,b d_normalised[t,b,i]*o_normalised[t,b,i]*(1 - tanh(b_c_normalised[i] + s_c_normalised[i]*centred_normalised[t,b,i]/sqrt(1e-05 + variance_normalised[t,b]))^2)
(129)  d_initial_x[k,b,i] = sum_j W_o_normalised_x_1[j,i]*d_n_o_normalised[k,b,j]
           + sum_j W_g_normalised_x_1[j,i]*d_n_g_normalised[k,b,j]
           + sum_j W_f_normalised_x_1[j,i]*d_n_f_normalised[k,b,j]
           + sum_j W_i_normalised_x_1[j,i]*d_n_i_normalised[k,b,j]
(130)  d_initial_coupled[k,b,i] = sum_j U_o_coupled[j,i]*d_n_o_coupled[k,b,j]
           + sum_j U_g_coupled[j,i]*d_n_g_coupled[k,b,j]
           + sum_j U_f_coupled[j,i]*d_n_f_coupled[k,b,j]
(131)  d_initial_c_coupled[k,b,i] = d_c_coupled[k,b,i]*f_coupled[k,b,i]
(132)  d_initial_projected[k,b,i] = sum_j U_o_projected[j,i]*d_n_o_projected[k,b,j]
           + sum_j U_g_projected[j,i]*d_n_g_projected[k,b,j]
           + sum_j U_f_projected[j,i]*d_n_f_projected[k,b,j]
           + sum_j U_i_projected[j,i]*d_n_i_projected[k,b,j]
(133)  d_initial_c_projected[k,b,i] = d_c_projected[k,b,i]*f_projected[k,b,i]
(134)  d_initial_normalised[k,b,i] = sum_j U_o_normalised[j,i]*d_n_o_normalised[k,b,j]
           + sum_j U_g_normalised[j,i]*d_n_g_normalised[k,b,j]
           + sum_j U_f_normalised[j,i]*d_n_f_normalised[k,b,j]
           + sum_j U_i_normalised[j,i]*d_n_i_normalised[k,b,j]
(135)  d_initial_c_normalised[k,b,i] = d_c_normalised[k,b,i]*f_normalised[k,b,i]

Generated by bptt from a topology file. This module needs NumPy and nothing else.
"""

import numpy as np

# Parameters, with their shapes.
PARAMETERS = {
    "W_f_coupled_x": (4, 2),
    "U_f_coupled": (4, 4),
    "b_f_coupled": (4,),
    "W_g_coupled_x": (4, 2),
    "U_g_coupled": (4, 4),
    "b_g_coupled": (4,),
    "W_o_coupled_x": (4, 2),
    "U_o_coupled": (4, 4),
    "b_o_coupled": (4,),
    "W_i_projected_coupled": (5, 4),
    "W_i_projected_x": (5, 2),
    "U_i_projected": (5, 2),
    "b_i_projected": (5,),
    "W_f_projected_coupled": (5, 4),
    "W_f_projected_x": (5, 2),
    "U_f_projected": (5, 2),
    "b_f_projected": (5,),
    "W_g_projected_coupled": (5, 4),
    "W_g_projected_x": (5, 2),
    "U_g_projected": (5, 2),
    "b_g_projected": (5,),
    "W_o_projected_coupled": (5, 4),
    "W_o_projected_x": (5, 2),
    "U_o_projected": (5, 2),
    "b_o_projected": (5,),
    "P_projected": (2, 5),
    "s_i_normalised": (3,),
    "W_i_normalised_projected": (3, 2),
    "W_i_normalised_x_1": (3, 2),
    "U_i_normalised": (3, 3),
    "b_i_normalised": (3,),
    "s_f_normalised": (3,),
    "W_f_normalised_projected": (3, 2),
    "W_f_normalised_x_1": (3, 2),
    "U_f_normalised": (3, 3),
    "b_f_normalised": (3,),
    "s_g_normalised": (3,),
    "W_g_normalised_projected": (3, 2),
    "W_g_normalised_x_1": (3, 2),
    "U_g_normalised": (3, 3),
    "b_g_normalised": (3,),
    "s_o_normalised": (3,),
    "W_o_normalised_projected": (3, 2),
    "W_o_normalised_x_1": (3, 2),
    "U_o_normalised": (3, 3),
    "b_o_normalised": (3,),
    "s_c_normalised": (3,),
    "b_c_normalised": (3,),
}

# Inputs, outputs, targets of the losses, and weights of the steps of weighted losses: names with
# shapes in which T (and other lengths), B and widths stand. Where classes are told apart, class
# numbers without the last axis will do as targets. Masks may be truth values, and those of one
# number a step may be given as lengths, one whole number for each sequence.
LENGTHS = ("T",)
INPUTS = {
    "x": ("T", "B", 2),
}
OUTPUTS = {
    "normalised": ("T", "B", 3),
}
TARGETS = {
    "normalised": ("T", "B", 3),
}
MASKS = ()
CLASSES = ()
WEIGHTED = {}

# The losses of each output: their kinds with their weights; which steps they judge, and the mask
# that says so, if any; whether they are of the differences between output and target, which are
# in the same units then, and whether they are sums of squares.
LOSSES = {
    "normalised": {
        "kinds": {"mse": 1}, "steps": "all", "mask": None, "differences": True, "squares": True
    },
}

# Values outside the given steps, with their shapes: those before the first step in
# chronological order, or those after the last for what runs backward in time. Zero unless given.
# AFTER lists those after the last step, with the signal that they belong to.
INITIAL = {
    "x": (1, "B", 2),
    "coupled": (1, "B", 4),
    "c_coupled": (1, "B", 4),
    "projected": (1, "B", 2),
    "c_projected": (1, "B", 5),
    "normalised": (1, "B", 3),
    "c_normalised": (1, "B", 3),
}
AFTER = {}

# Layers, with the parameters that stand together in each of their net inputs.
LAYERS = {
    "coupled": (
        ("W_f_coupled_x", "U_f_coupled", "b_f_coupled"),
        ("W_g_coupled_x", "U_g_coupled", "b_g_coupled"),
        ("W_o_coupled_x", "U_o_coupled", "b_o_coupled"),
    ),
    "projected": (
        ("W_i_projected_coupled", "W_i_projected_x", "U_i_projected", "b_i_projected"),
        ("W_f_projected_coupled", "W_f_projected_x", "U_f_projected", "b_f_projected"),
        ("W_g_projected_coupled", "W_g_projected_x", "U_g_projected", "b_g_projected"),
        ("W_o_projected_coupled", "W_o_projected_x", "U_o_projected", "b_o_projected"),
        ("P_projected",),
    ),
    "normalised": (
        ("W_i_normalised_projected", "W_i_normalised_x_1", "U_i_normalised"),
        ("b_i_normalised", "s_i_normalised"),
        ("W_f_normalised_projected", "W_f_normalised_x_1", "U_f_normalised"),
        ("b_f_normalised", "s_f_normalised"),
        ("W_g_normalised_projected", "W_g_normalised_x_1", "U_g_normalised"),
        ("b_g_normalised", "s_g_normalised"),
        ("W_o_normalised_projected", "W_o_normalised_x_1", "U_o_normalised"),
        ("b_o_normalised", "s_o_normalised"),
        ("b_c_normalised", "s_c_normalised"),
    ),
}


def initial_parameters(seed=0, dtype=np.float64):
    """Seeded parameters: weights uniform in +-1/sqrt(fan-in), biases zero."""
    if np.dtype(dtype) not in _DTYPES:
        possible = ", ".join(map(str, _DTYPES))
        raise ValueError(f"dtype is {np.dtype(dtype)}; {possible} are possible")
    rng = np.random.default_rng(seed)
    found = {}
    for name, shape in PARAMETERS.items():
        bound = 0.0 if name in _BIASES else 1.0 / np.sqrt(max(shape[-1:], default=1))
        found[name] = rng.uniform(-bound, bound, shape).astype(dtype)
    return found


def forward(parameters, inputs, initial=None):
    """The signals of the network.

    parameters, inputs, initial: arrays as PARAMETERS, INPUTS and, any of them, INITIAL say.
    Returns the arrays of all named signals: outputs, layers, and what is within their cells.
    """
    arrays, T, B, dtype = _prepare(parameters, inputs, initial, judge=False, steps=None)
    _forward(arrays, T, B, dtype)
    return {
        "f_coupled": arrays["f_coupled"],
        "g_coupled": arrays["g_coupled"],
        "o_coupled": arrays["o_coupled"],
        "c_coupled": arrays["c_coupled"][1 : 1 + T],
        "coupled": arrays["coupled"][1 : 1 + T],
        "i_projected": arrays["i_projected"],
        "f_projected": arrays["f_projected"],
        "g_projected": arrays["g_projected"],
        "o_projected": arrays["o_projected"],
        "c_projected": arrays["c_projected"][1 : 1 + T],
        "projected": arrays["projected"][1 : 1 + T],
        "i_normalised": arrays["i_normalised"],
        "f_normalised": arrays["f_normalised"],
        "g_normalised": arrays["g_normalised"],
        "o_normalised": arrays["o_normalised"],
        "c_normalised": arrays["c_normalised"][1 : 1 + T],
        "normalised": arrays["normalised"][1 : 1 + T],
    }


def loss(parameters, inputs, targets, initial=None, weights=None):
    """The loss, a number:

    mean over steps, sequences and units of (normalised - target_normalised)^2.
    """
    arrays, T, B, dtype = _prepare(parameters, inputs, initial, targets, weights)
    _forward(arrays, T, B, dtype)
    _loss(arrays, T, B, dtype)
    return arrays["loss"]


def loss_and_gradients(
    parameters, inputs, targets, initial=None, weights=None, wrt=("parameters",)
):
    """The loss, and its gradients as a dict of arrays by name.

    The gradients have the names and shapes of the parameters. With "inputs" in wrt also those
    of the inputs; with "initial" those of the values in INITIAL, under "initial_" + name.
    """
    unknown = set(wrt) - {"parameters", "inputs", "initial"}
    if isinstance(wrt, str) or unknown:
        raise ValueError(f"wrt is {wrt!r}; it lists some of 'parameters', 'inputs', 'initial'")
    arrays, T, B, dtype = _prepare(parameters, inputs, initial, targets, weights)
    _forward(arrays, T, B, dtype)
    _loss(arrays, T, B, dtype)
    _backward(arrays, T, B, dtype)
    gradients = {}
    if "parameters" in wrt:
        gradients.update((name, arrays[d_name]) for name, d_name in _GRADIENTS.items())
    if "inputs" in wrt:
        _input_gradients(arrays, T, B, dtype)
        gradients.update((name, arrays[d_name]) for name, d_name in _INPUT_GRADIENTS.items())
    if "initial" in wrt:
        _initial_gradients(arrays, T, B, dtype)
        gradients.update(("initial_" + n, arrays[d_n]) for n, d_n in _INITIAL_GRADIENTS.items())
    return arrays["loss"], gradients


# The derived equations. `arrays` holds every array by name.


def _forward(arrays, T, B, dtype):
    """The signals, forward in time."""
    x = arrays["x"]
    c_coupled = arrays["c_coupled"]
    coupled = arrays["coupled"]
    c_projected = arrays["c_projected"]
    projected = arrays["projected"]
    c_normalised = arrays["c_normalised"]
    normalised = arrays["normalised"]
    W_f_coupled_x = arrays["W_f_coupled_x"]
    U_f_coupled = arrays["U_f_coupled"]
    b_f_coupled = arrays["b_f_coupled"]
    W_g_coupled_x = arrays["W_g_coupled_x"]
    U_g_coupled = arrays["U_g_coupled"]
    b_g_coupled = arrays["b_g_coupled"]
    W_o_coupled_x = arrays["W_o_coupled_x"]
    U_o_coupled = arrays["U_o_coupled"]
    b_o_coupled = arrays["b_o_coupled"]
    W_i_projected_coupled = arrays["W_i_projected_coupled"]
    W_i_projected_x = arrays["W_i_projected_x"]
    U_i_projected = arrays["U_i_projected"]
    b_i_projected = arrays["b_i_projected"]
    W_f_projected_coupled = arrays["W_f_projected_coupled"]
    W_f_projected_x = arrays["W_f_projected_x"]
    U_f_projected = arrays["U_f_projected"]
    b_f_projected = arrays["b_f_projected"]
    W_g_projected_coupled = arrays["W_g_projected_coupled"]
    W_g_projected_x = arrays["W_g_projected_x"]
    U_g_projected = arrays["U_g_projected"]
    b_g_projected = arrays["b_g_projected"]
    W_o_projected_coupled = arrays["W_o_projected_coupled"]
    W_o_projected_x = arrays["W_o_projected_x"]
    U_o_projected = arrays["U_o_projected"]
    b_o_projected = arrays["b_o_projected"]
    P_projected = arrays["P_projected"]
    s_i_normalised = arrays["s_i_normalised"]
    W_i_normalised_projected = arrays["W_i_normalised_projected"]
    W_i_normalised_x_1 = arrays["W_i_normalised_x_1"]
    U_i_normalised = arrays["U_i_normalised"]
    b_i_normalised = arrays["b_i_normalised"]
    s_f_normalised = arrays["s_f_normalised"]
    W_f_normalised_projected = arrays["W_f_normalised_projected"]
    W_f_normalised_x_1 = arrays["W_f_normalised_x_1"]
    U_f_normalised = arrays["U_f_normalised"]
    b_f_normalised = arrays["b_f_normalised"]
    s_g_normalised = arrays["s_g_normalised"]
    W_g_normalised_projected = arrays["W_g_normalised_projected"]
    W_g_normalised_x_1 = arrays["W_g_normalised_x_1"]
    U_g_normalised = arrays["U_g_normalised"]
    b_g_normalised = arrays["b_g_normalised"]
    s_o_normalised = arrays["s_o_normalised"]
    W_o_normalised_projected = arrays["W_o_normalised_projected"]
    W_o_normalised_x_1 = arrays["W_o_normalised_x_1"]
    U_o_normalised = arrays["U_o_normalised"]
    b_o_normalised = arrays["b_o_normalised"]
    s_c_normalised = arrays["s_c_normalised"]
    b_c_normalised = arrays["b_c_normalised"]

    U_normalised = np.concatenate((U_g_normalised, U_f_normalised, U_i_normalised, U_o_normalised))
    W_normalised_projected = np.concatenate(
        (
            W_g_normalised_projected,
            W_f_normalised_projected,
            W_i_normalised_projected,
            W_o_normalised_projected,
        ),
    )
    W_normalised_x_1 = np.concatenate(
        (W_g_normalised_x_1, W_f_normalised_x_1, W_i_normalised_x_1, W_o_normalised_x_1)
    )
    U_projected = np.concatenate((U_o_projected, U_f_projected, U_i_projected, U_g_projected))
    W_projected_coupled = np.concatenate(
        (
            W_o_projected_coupled,
            W_f_projected_coupled,
            W_i_projected_coupled,
            W_g_projected_coupled,
        ),
    )
    W_x = np.concatenate(
        (
            W_o_projected_x,
            W_f_projected_x,
            W_i_projected_x,
            W_g_projected_x,
            W_o_coupled_x,
            W_f_coupled_x,
            W_g_coupled_x,
        ),
    )
    b_projected = np.concatenate((b_o_projected, b_f_projected, b_i_projected, b_g_projected))
    U_coupled = np.concatenate((U_o_coupled, U_f_coupled, U_g_coupled))
    b_coupled = np.concatenate((b_o_coupled, b_f_coupled, b_g_coupled))
    n_coupled = (_rows(x[1:]) @ W_x[20:].T).reshape(-1, B, 12)  # (1) (3) (5) ij,tbj->tbi
    g_coupled = n_coupled[:, :, 8:12]
    n_g_coupled = g_coupled  # takes its place, step by step
    f_coupled = n_coupled[:, :, 4:8]
    o_coupled = n_coupled[:, :, :4]
    n_coupled += b_coupled  # (1) (3) (5)
    tanh_c_coupled = np.empty((T, B, 4), dtype)
    for t in range(T):
        f_coupled_t = f_coupled[t]
        n_coupled_t = n_coupled[t]
        n_coupled_t += coupled[t] @ U_coupled.T  # (1) (3) (5) ij,bj->bi
        g_coupled_t = np.tanh(n_g_coupled[t], out=g_coupled[t])  # (4)
        _sigmoid(n_coupled_t[:, :8], out=n_coupled_t[:, :8])  # (2) (6)
        c_coupled_t = np.multiply(c_coupled[t], f_coupled_t, out=c_coupled[t + 1])  # (7)
        c_coupled_t += g_coupled_t * (1 - f_coupled_t)  # (7)
        tanh_c_coupled_t = np.tanh(c_coupled_t, out=tanh_c_coupled[t])  # (8)
        coupled_t = np.multiply(o_coupled[t], tanh_c_coupled_t, out=coupled[t + 1])  # (8)
    n_projected = (  # (9) (11) (13) (15) ij,tbj->tbi
        (_rows(coupled[1:]) @ W_projected_coupled.T).reshape(-1, B, 20)
    )
    g_projected = n_projected[:, :, 15:20]
    n_g_projected = g_projected  # takes its place, step by step
    f_projected = n_projected[:, :, 5:10]
    i_projected = n_projected[:, :, 10:15]
    o_projected = n_projected[:, :, :5]
    n_projected += (_rows(x[1:]) @ W_x[:20].T).reshape(-1, B, 20)  # (9) (11) (13) (15) ij,tbj->tbi
    n_projected += b_projected  # (9) (11) (13) (15)
    tanh_c_projected = np.empty((T, B, 5), dtype)
    o_tanh_c_projected = np.empty((T, B, 5), dtype)
    for t in range(T):
        n_projected_t = n_projected[t]
        n_projected_t += projected[t] @ U_projected.T  # (9) (11) (13) (15) ij,bj->bi
        g_projected_t = np.tanh(n_g_projected[t], out=g_projected[t])  # (14)
        _sigmoid(n_projected_t[:, :15], out=n_projected_t[:, :15])  # (10) (12) (16)
        c_projected_t = np.multiply(c_projected[t], f_projected[t], out=c_projected[t + 1])  # (17)
        c_projected_t += g_projected_t * i_projected[t]  # (17)
        tanh_c_projected_t = np.tanh(c_projected_t, out=tanh_c_projected[t])  # (18)
        o_tanh_c_projected_t = np.multiply(  # (18)
            o_projected[t], tanh_c_projected_t, out=o_tanh_c_projected[t]
        )
        projected[t + 1] = projected_t = o_tanh_c_projected_t @ P_projected.T  # (19) ij,bj->bi
    n_normalised = (  # (20) (24) (28) (32) ij,tbj->tbi
        (_rows(projected[1:]) @ W_normalised_projected.T).reshape(-1, B, 12)
    )
    n_i_normalised = n_normalised[:, :, 6:9]
    n_f_normalised = n_normalised[:, :, 3:6]
    n_g_normalised = n_normalised[:, :, :3]
    n_o_normalised = n_normalised[:, :, 9:12]
    n_normalised += (  # (20) (24) (28) (32) ij,tbj->tbi
        (_rows(x[:T]) @ W_normalised_x_1.T).reshape(-1, B, 12)
    )
    stacked_centred_g_normalised = np.empty((T, B, 9), dtype)
    centred_f_normalised = stacked_centred_g_normalised[:, :, 3:6]
    centred_g_normalised = stacked_centred_g_normalised[:, :, :3]
    centred_i_normalised = stacked_centred_g_normalised[:, :, 6:9]
    variance_f_normalised = np.empty((T, B), dtype)
    f_normalised = np.empty((T, B, 3), dtype)
    variance_g_normalised = np.empty((T, B), dtype)
    g_normalised = np.empty((T, B, 3), dtype)
    variance_i_normalised = np.empty((T, B), dtype)
    i_normalised = np.empty((T, B, 3), dtype)
    centred_normalised = np.empty((T, B, 3), dtype)
    centred_o_normalised = np.empty((T, B, 3), dtype)
    variance_o_normalised = np.empty((T, B), dtype)
    o_normalised = np.empty((T, B, 3), dtype)
    variance_normalised = np.empty((T, B), dtype)
    tanh_b_c_normalised_centred_normalised_s_c_normalised_varian = np.empty((T, B, 3), dtype)
    for t in range(T):
        normalised_t_minus_1 = normalised[t]
        n_normalised_t = n_normalised[t]
        n_normalised_t[:, :6] += normalised_t_minus_1 @ U_normalised[:6].T  # (24) (28) ij,bj->bi
        n_i_normalised_t = n_i_normalised[t]
        n_i_normalised_t += normalised_t_minus_1 @ U_i_normalised.T  # (20) ij,bj->bi
        stacked_centred_g_normalised[t] = stacked_centred_g_normalised_t = (  # (21) (25) (29)
            n_normalised_t[:, :9]
        )
        centred_f_normalised_t = centred_f_normalised[t]
        centred_f_normalised_t -= 1 / 3 * n_f_normalised[t].sum(axis=1)[:, None]  # (25) bj->b
        variance_f_normalised[t] = variance_f_normalised_t = (  # (26) bi->b
            1 / 3 * (centred_f_normalised_t ** 2).sum(axis=1)
        )
        f_normalised_t = _sigmoid(  # (27)
            (
                b_f_normalised
                + (
                    s_f_normalised * centred_f_normalised_t
                    / np.sqrt(1e-05 + variance_f_normalised_t[:, None])
                )
            ),
            out=f_normalised[t],
        )
        centred_g_normalised_t = centred_g_normalised[t]
        centred_g_normalised_t -= 1 / 3 * n_g_normalised[t].sum(axis=1)[:, None]  # (29) bj->b
        variance_g_normalised[t] = variance_g_normalised_t = (  # (30) bi->b
            1 / 3 * (centred_g_normalised_t ** 2).sum(axis=1)
        )
        g_normalised_t = np.tanh(  # (31)
            (
                b_g_normalised
                + (
                    s_g_normalised * centred_g_normalised_t
                    / np.sqrt(1e-05 + variance_g_normalised_t[:, None])
                )
            ),
            out=g_normalised[t],
        )
        centred_i_normalised_t = centred_i_normalised[t]
        centred_i_normalised_t -= 1 / 3 * n_i_normalised_t.sum(axis=1)[:, None]  # (21) bj->b
        variance_i_normalised[t] = variance_i_normalised_t = (  # (22) bi->b
            1 / 3 * (centred_i_normalised_t ** 2).sum(axis=1)
        )
        i_normalised_t = _sigmoid(  # (23)
            (
                b_i_normalised
                + (
                    s_i_normalised * centred_i_normalised_t
                    / np.sqrt(1e-05 + variance_i_normalised_t[:, None])
                )
            ),
            out=i_normalised[t],
        )
        c_normalised_t = np.multiply(  # (36)
            c_normalised[t], f_normalised_t, out=c_normalised[t + 1]
        )
        c_normalised_t += g_normalised_t * i_normalised_t  # (36)
        centred_normalised_t = centred_normalised[t]
        centred_normalised_t[...] = c_normalised_t  # (37)
        centred_normalised_t -= 1 / 3 * c_normalised_t.sum(axis=1)[:, None]  # (37) bj->b
        n_o_normalised_t = n_o_normalised[t]
        n_o_normalised_t += normalised_t_minus_1 @ U_o_normalised.T  # (32) ij,bj->bi
        centred_o_normalised_t = centred_o_normalised[t]
        centred_o_normalised_t[...] = n_o_normalised_t  # (33)
        centred_o_normalised_t -= 1 / 3 * n_o_normalised_t.sum(axis=1)[:, None]  # (33) bj->b
        variance_o_normalised[t] = variance_o_normalised_t = (  # (34) bi->b
            1 / 3 * (centred_o_normalised_t ** 2).sum(axis=1)
        )
        o_normalised_t = _sigmoid(  # (35)
            (
                b_o_normalised
                + (
                    s_o_normalised * centred_o_normalised_t
                    / np.sqrt(1e-05 + variance_o_normalised_t[:, None])
                )
            ),
            out=o_normalised[t],
        )
        variance_normalised[t] = variance_normalised_t = (  # (38) bi->b
            1 / 3 * (centred_normalised_t ** 2).sum(axis=1)
        )
        tanh_b_c_normalised_centred_normalised_s_c_normalised_varian_t = np.tanh(  # (39)
            (
                b_c_normalised
                + (
                    s_c_normalised * centred_normalised_t
                    / np.sqrt(1e-05 + variance_normalised_t[:, None])
                )
            ),
            out=tanh_b_c_normalised_centred_normalised_s_c_normalised_varian[t],
        )
        normalised_t = np.multiply(  # (39)
            o_normalised_t,
            tanh_b_c_normalised_centred_normalised_s_c_normalised_varian_t,
            out=normalised[t + 1],
        )
    arrays["f_coupled"] = f_coupled
    arrays["g_coupled"] = g_coupled
    arrays["o_coupled"] = o_coupled
    arrays["tanh_c_coupled"] = tanh_c_coupled
    arrays["i_projected"] = i_projected
    arrays["f_projected"] = f_projected
    arrays["g_projected"] = g_projected
    arrays["o_projected"] = o_projected
    arrays["tanh_c_projected"] = tanh_c_projected
    arrays["o_tanh_c_projected"] = o_tanh_c_projected
    arrays["centred_i_normalised"] = centred_i_normalised
    arrays["variance_i_normalised"] = variance_i_normalised
    arrays["i_normalised"] = i_normalised
    arrays["centred_f_normalised"] = centred_f_normalised
    arrays["variance_f_normalised"] = variance_f_normalised
    arrays["f_normalised"] = f_normalised
    arrays["centred_g_normalised"] = centred_g_normalised
    arrays["variance_g_normalised"] = variance_g_normalised
    arrays["g_normalised"] = g_normalised
    arrays["centred_o_normalised"] = centred_o_normalised
    arrays["variance_o_normalised"] = variance_o_normalised
    arrays["o_normalised"] = o_normalised
    arrays["centred_normalised"] = centred_normalised
    arrays["variance_normalised"] = variance_normalised
    arrays["tanh_b_c_normalised_centred_normalised_s_c_normalised_varian"] = (
        tanh_b_c_normalised_centred_normalised_s_c_normalised_varian
    )


def _loss(arrays, T, B, dtype):
    """The losses, and what only they need."""
    normalised = arrays["normalised"]
    target_normalised = arrays["target_normalised"]

    error_normalised = normalised[1:] - target_normalised  # (40)
    loss = 1 / (B * 3 * T) * (error_normalised.ravel() @ error_normalised.ravel())  # (40) tbi->
    arrays["error_normalised"] = error_normalised
    arrays["loss"] = loss


def _backward(arrays, T, B, dtype):
    """Adjoints, and the parameters' gradients."""
    x = arrays["x"]
    f_coupled = arrays["f_coupled"]
    g_coupled = arrays["g_coupled"]
    o_coupled = arrays["o_coupled"]
    c_coupled = arrays["c_coupled"]
    coupled = arrays["coupled"]
    i_projected = arrays["i_projected"]
    f_projected = arrays["f_projected"]
    g_projected = arrays["g_projected"]
    o_projected = arrays["o_projected"]
    c_projected = arrays["c_projected"]
    projected = arrays["projected"]
    i_normalised = arrays["i_normalised"]
    f_normalised = arrays["f_normalised"]
    g_normalised = arrays["g_normalised"]
    o_normalised = arrays["o_normalised"]
    c_normalised = arrays["c_normalised"]
    normalised = arrays["normalised"]
    U_f_coupled = arrays["U_f_coupled"]
    U_g_coupled = arrays["U_g_coupled"]
    U_o_coupled = arrays["U_o_coupled"]
    W_i_projected_coupled = arrays["W_i_projected_coupled"]
    U_i_projected = arrays["U_i_projected"]
    W_f_projected_coupled = arrays["W_f_projected_coupled"]
    U_f_projected = arrays["U_f_projected"]
    W_g_projected_coupled = arrays["W_g_projected_coupled"]
    U_g_projected = arrays["U_g_projected"]
    W_o_projected_coupled = arrays["W_o_projected_coupled"]
    U_o_projected = arrays["U_o_projected"]
    P_projected = arrays["P_projected"]
    s_i_normalised = arrays["s_i_normalised"]
    W_i_normalised_projected = arrays["W_i_normalised_projected"]
    U_i_normalised = arrays["U_i_normalised"]
    s_f_normalised = arrays["s_f_normalised"]
    W_f_normalised_projected = arrays["W_f_normalised_projected"]
    U_f_normalised = arrays["U_f_normalised"]
    s_g_normalised = arrays["s_g_normalised"]
    W_g_normalised_projected = arrays["W_g_normalised_projected"]
    U_g_normalised = arrays["U_g_normalised"]
    s_o_normalised = arrays["s_o_normalised"]
    W_o_normalised_projected = arrays["W_o_normalised_projected"]
    U_o_normalised = arrays["U_o_normalised"]
    s_c_normalised = arrays["s_c_normalised"]
    o_tanh_c_projected = arrays["o_tanh_c_projected"]
    centred_i_normalised = arrays["centred_i_normalised"]
    variance_i_normalised = arrays["variance_i_normalised"]
    centred_f_normalised = arrays["centred_f_normalised"]
    variance_f_normalised = arrays["variance_f_normalised"]
    centred_g_normalised = arrays["centred_g_normalised"]
    variance_g_normalised = arrays["variance_g_normalised"]
    centred_o_normalised = arrays["centred_o_normalised"]
    variance_o_normalised = arrays["variance_o_normalised"]
    centred_normalised = arrays["centred_normalised"]
    variance_normalised = arrays["variance_normalised"]
    tanh_c_coupled = arrays["tanh_c_coupled"]
    tanh_c_projected = arrays["tanh_c_projected"]
    tanh_b_c_normalised_centred_normalised_s_c_normalised_varian = (
        arrays["tanh_b_c_normalised_centred_normalised_s_c_normalised_varian"]
    )
    error_normalised = arrays["error_normalised"]

    U_normalised = np.concatenate((U_g_normalised, U_f_normalised, U_i_normalised, U_o_normalised))
    W_normalised_projected = np.concatenate(
        (
            W_g_normalised_projected,
            W_f_normalised_projected,
            W_i_normalised_projected,
            W_o_normalised_projected,
        ),
    )
    U_projected = np.concatenate((U_o_projected, U_f_projected, U_i_projected, U_g_projected))
    W_projected_coupled = np.concatenate(
        (
            W_o_projected_coupled,
            W_f_projected_coupled,
            W_i_projected_coupled,
            W_g_projected_coupled,
        ),
    )
    U_coupled = np.concatenate((U_o_coupled, U_f_coupled, U_g_coupled))
    d_normalised = 2 / (B * 3 * T) * error_normalised  # (41)
    d_centred_normalised_per_d_normalised = (  # (43)
        s_c_normalised * o_normalised
        * (1 - tanh_b_c_normalised_centred_normalised_s_c_normalised_varian ** 2)
        / np.sqrt(1e-05 + variance_normalised[:, :, None])
    )
    d_centred_f_normalised_per_d_f_normalised = (  # (55)
        s_f_normalised * f_normalised * (1 - f_normalised)
        / np.sqrt(1e-05 + variance_f_normalised[:, :, None])
    )
    d_centred_g_normalised_per_d_g_normalised = (  # (51)
        s_g_normalised * (1 - g_normalised ** 2)
        / np.sqrt(1e-05 + variance_g_normalised[:, :, None])
    )
    d_centred_i_normalised_per_d_i_normalised = (  # (59)
        s_i_normalised * i_normalised * (1 - i_normalised)
        / np.sqrt(1e-05 + variance_i_normalised[:, :, None])
    )
    d_centred_o_normalised_per_d_o_normalised = (  # (47)
        s_o_normalised * o_normalised * (1 - o_normalised)
        / np.sqrt(1e-05 + variance_o_normalised[:, :, None])
    )
    d_c_normalised = np.empty((T, B, 3), dtype)
    d_f_normalised = np.empty((T, B, 3), dtype)
    d_g_normalised = np.empty((T, B, 3), dtype)
    d_i_normalised = np.empty((T, B, 3), dtype)
    d_o_normalised = np.empty((T, B, 3), dtype)
    d_n_normalised = np.empty((T, B, 12), dtype)
    d_n_f_normalised = d_n_normalised[:, :, 3:6]
    d_n_g_normalised = d_n_normalised[:, :, :3]
    d_n_i_normalised = d_n_normalised[:, :, 6:9]
    d_n_o_normalised = d_n_normalised[:, :, 9:12]
    for t in range(T - 1, -1, -1):
        centred_normalised_t = centred_normalised[t]
        o_normalised_t = o_normalised[t]
        tanh_b_c_normalised_centred_normalised_s_c_normalised_varian_t = (
            tanh_b_c_normalised_centred_normalised_s_c_normalised_varian[t]
        )
        centred_f_normalised_t = centred_f_normalised[t]
        f_normalised_t = f_normalised[t]
        i_normalised_t = i_normalised[t]
        centred_g_normalised_t = centred_g_normalised[t]
        g_normalised_t = g_normalised[t]
        centred_i_normalised_t = centred_i_normalised[t]
        centred_o_normalised_t = centred_o_normalised[t]
        d_normalised_t = d_normalised[t]
        if t < T - 1:
            d_normalised_t += d_n_normalised[t + 1] @ U_normalised  # (41) ij,bj->bi
        d_variance_normalised_t = (  # (42) bi->b
            -(1 / 2 * (1 / (1e-05 + variance_normalised[t]) ** 1.5) * (d_normalised_t * centred_normalised_t * o_normalised_t * (1 - tanh_b_c_normalised_centred_normalised_s_c_normalised_varian_t ** 2) * s_c_normalised).sum(axis=1))
        )
        d_centred_normalised_t = d_normalised_t * d_centred_normalised_per_d_normalised[t]  # (43)
        d_centred_normalised_t += (  # (43)
            2 / 3 * d_variance_normalised_t[:, None] * centred_normalised_t
        )
        d_c_normalised_t = d_c_normalised[t]
        d_c_normalised_t[...] = d_centred_normalised_t  # (44)
        d_c_normalised_t -= 1 / 3 * d_centred_normalised_t.sum(axis=1)[:, None]  # (44) bj->b
        if t < T - 1:
            d_c_normalised_t += d_c_normalised[t + 1] * f_normalised[t + 1]  # (44)
        d_f_normalised_t = np.multiply(  # (53)
            d_c_normalised_t, c_normalised[t], out=d_f_normalised[t]
        )
        d_variance_f_normalised_t = (  # (54) bi->b
            -(1 / 2 * (1 / (1e-05 + variance_f_normalised[t]) ** 1.5) * (d_f_normalised_t * centred_f_normalised_t * f_normalised_t * (1 - f_normalised_t) * s_f_normalised).sum(axis=1))
        )
        d_centred_f_normalised_t = (  # (55)
            d_f_normalised_t * d_centred_f_normalised_per_d_f_normalised[t]
        )
        d_centred_f_normalised_t += (  # (55)
            2 / 3 * d_variance_f_normalised_t[:, None] * centred_f_normalised_t
        )
        d_g_normalised_t = np.multiply(  # (49)
            d_c_normalised_t, i_normalised_t, out=d_g_normalised[t]
        )
        d_variance_g_normalised_t = (  # (50) bi->b
            -(1 / 2 * (1 / (1e-05 + variance_g_normalised[t]) ** 1.5) * (d_g_normalised_t * centred_g_normalised_t * (1 - g_normalised_t ** 2) * s_g_normalised).sum(axis=1))
        )
        d_centred_g_normalised_t = (  # (51)
            d_g_normalised_t * d_centred_g_normalised_per_d_g_normalised[t]
        )
        d_centred_g_normalised_t += (  # (51)
            2 / 3 * d_variance_g_normalised_t[:, None] * centred_g_normalised_t
        )
        d_i_normalised_t = np.multiply(  # (57)
            d_c_normalised_t, g_normalised_t, out=d_i_normalised[t]
        )
        d_variance_i_normalised_t = (  # (58) bi->b
            -(1 / 2 * (1 / (1e-05 + variance_i_normalised[t]) ** 1.5) * (d_i_normalised_t * centred_i_normalised_t * i_normalised_t * (1 - i_normalised_t) * s_i_normalised).sum(axis=1))
        )
        d_centred_i_normalised_t = (  # (59)
            d_i_normalised_t * d_centred_i_normalised_per_d_i_normalised[t]
        )
        d_centred_i_normalised_t += (  # (59)
            2 / 3 * d_variance_i_normalised_t[:, None] * centred_i_normalised_t
        )
        d_o_normalised_t = np.multiply(  # (45)
            d_normalised_t,
            tanh_b_c_normalised_centred_normalised_s_c_normalised_varian_t,
            out=d_o_normalised[t],
        )
        d_variance_o_normalised_t = (  # (46) bi->b
            -(1 / 2 * (1 / (1e-05 + variance_o_normalised[t]) ** 1.5) * (d_o_normalised_t * centred_o_normalised_t * o_normalised_t * (1 - o_normalised_t) * s_o_normalised).sum(axis=1))
        )
        d_centred_o_normalised_t = (  # (47)
            d_o_normalised_t * d_centred_o_normalised_per_d_o_normalised[t]
        )
        d_centred_o_normalised_t += (  # (47)
            2 / 3 * d_variance_o_normalised_t[:, None] * centred_o_normalised_t
        )
        d_n_f_normalised_t = d_n_f_normalised[t]
        d_n_f_normalised_t[...] = d_centred_f_normalised_t  # (56)
        d_n_f_normalised_t -= 1 / 3 * d_centred_f_normalised_t.sum(axis=1)[:, None]  # (56) bj->b
        d_n_g_normalised_t = d_n_g_normalised[t]
        d_n_g_normalised_t[...] = d_centred_g_normalised_t  # (52)
        d_n_g_normalised_t -= 1 / 3 * d_centred_g_normalised_t.sum(axis=1)[:, None]  # (52) bj->b
        d_n_i_normalised_t = d_n_i_normalised[t]
        d_n_i_normalised_t[...] = d_centred_i_normalised_t  # (60)
        d_n_i_normalised_t -= 1 / 3 * d_centred_i_normalised_t.sum(axis=1)[:, None]  # (60) bj->b
        d_n_o_normalised_t = d_n_o_normalised[t]
        d_n_o_normalised_t[...] = d_centred_o_normalised_t  # (48)
        d_n_o_normalised_t -= 1 / 3 * d_centred_o_normalised_t.sum(axis=1)[:, None]  # (48) bj->b
    d_projected = (  # (61) ij,tbj->tbi
        (_rows(d_n_normalised) @ W_normalised_projected).reshape(-1, B, 2)
    )
    d_c_projected_per_d_o_tanh_c_projected = o_projected * (1 - tanh_c_projected ** 2)  # (63)
    d_n_f_projected_per_d_c_projected = (  # (68) (69)
        c_projected[:T] * f_projected * (1 - f_projected)
    )
    d_n_g_projected_per_d_c_projected = i_projected * (1 - g_projected ** 2)  # (66) (67)
    d_n_i_projected_per_d_c_projected = g_projected * i_projected * (1 - i_projected)  # (70) (71)
    d_n_o_projected_per_d_o_tanh_c_projected = (  # (64) (65)
        tanh_c_projected * o_projected * (1 - o_projected)
    )
    d_c_projected = np.empty((T, B, 5), dtype)
    d_n = np.empty((T, B, 32), dtype)
    d_n_f_projected = d_n[:, :, 5:10]
    d_n_g_projected = d_n[:, :, 15:20]
    d_n_i_projected = d_n[:, :, 10:15]
    d_n_o_projected = d_n[:, :, :5]
    d_n_f_coupled = d_n[:, :, 24:28]
    d_n_g_coupled = d_n[:, :, 28:32]
    d_n_o_coupled = d_n[:, :, 20:24]
    for t in range(T - 1, -1, -1):
        d_projected_t = d_projected[t]
        if t < T - 1:
            d_projected_t += d_n[t + 1, :, :20] @ U_projected  # (61) ij,bj->bi
        d_o_tanh_c_projected_t = d_projected_t @ P_projected  # (62) ij,bj->bi
        d_c_projected_t = np.multiply(  # (63)
            d_o_tanh_c_projected_t, d_c_projected_per_d_o_tanh_c_projected[t], out=d_c_projected[t]
        )
        if t < T - 1:
            d_c_projected_t += d_c_projected[t + 1] * f_projected[t + 1]  # (63)
        d_n_f_projected_t = np.multiply(  # (68) (69)
            d_c_projected_t, d_n_f_projected_per_d_c_projected[t], out=d_n_f_projected[t]
        )
        d_n_g_projected_t = np.multiply(  # (66) (67)
            d_c_projected_t, d_n_g_projected_per_d_c_projected[t], out=d_n_g_projected[t]
        )
        d_n_i_projected_t = np.multiply(  # (70) (71)
            d_c_projected_t, d_n_i_projected_per_d_c_projected[t], out=d_n_i_projected[t]
        )
        d_n_o_projected_t = np.multiply(  # (64) (65)
            d_o_tanh_c_projected_t,
            d_n_o_projected_per_d_o_tanh_c_projected[t],
            out=d_n_o_projected[t],
        )
    d_coupled = (_rows(d_n[:, :, :20]) @ W_projected_coupled).reshape(-1, B, 4)  # (72) ij,tbj->tbi
    d_c_coupled_per_d_coupled = o_coupled * (1 - tanh_c_coupled ** 2)  # (73)
    d_n_f_coupled_per_d_c_coupled = (  # (78) (79)
        (c_coupled[:T] - g_coupled) * f_coupled * (1 - f_coupled)
    )
    d_n_g_coupled_per_d_c_coupled = (1 - f_coupled) * (1 - g_coupled ** 2)  # (76) (77)
    d_n_o_coupled_per_d_coupled = tanh_c_coupled * o_coupled * (1 - o_coupled)  # (74) (75)
    d_c_coupled = np.empty((T, B, 4), dtype)
    for t in range(T - 1, -1, -1):
        d_coupled_t = d_coupled[t]
        if t < T - 1:
            d_coupled_t += d_n[t + 1, :, 20:] @ U_coupled  # (72) ij,bj->bi
        d_c_coupled_t = np.multiply(  # (73)
            d_coupled_t, d_c_coupled_per_d_coupled[t], out=d_c_coupled[t]
        )
        if t < T - 1:
            d_c_coupled_t += d_c_coupled[t + 1] * f_coupled[t + 1]  # (73)
        d_n_f_coupled_t = np.multiply(  # (78) (79)
            d_c_coupled_t, d_n_f_coupled_per_d_c_coupled[t], out=d_n_f_coupled[t]
        )
        d_n_g_coupled_t = np.multiply(  # (76) (77)
            d_c_coupled_t, d_n_g_coupled_per_d_c_coupled[t], out=d_n_g_coupled[t]
        )
        d_n_o_coupled_t = np.multiply(  # (74) (75)
            d_coupled_t, d_n_o_coupled_per_d_coupled[t], out=d_n_o_coupled[t]
        )
    d_U_coupled = _rows(d_n[:, :, 20:]).T @ _rows(coupled[:T])  # (82) (85) (88) tbi,tbj->ij
    d_U_f_coupled = d_U_coupled[4:8]
    d_U_g_coupled = d_U_coupled[8:12]
    d_U_o_coupled = d_U_coupled[:4]
    d_W_projected_coupled = (  # (90) (94) (98) (102) tbi,tbj->ij
        _rows(d_n[:, :, :20]).T @ _rows(coupled[1:])
    )
    d_W_i_projected_coupled = d_W_projected_coupled[10:15]
    d_W_f_projected_coupled = d_W_projected_coupled[5:10]
    d_W_g_projected_coupled = d_W_projected_coupled[15:20]
    d_W_o_projected_coupled = d_W_projected_coupled[:5]
    d_W_x = _rows(d_n).T @ _rows(x[1:])  # (81) (84) (87) (91) (95) (99) (103) tbi,tbj->ij
    d_W_f_coupled_x = d_W_x[24:28]
    d_W_g_coupled_x = d_W_x[28:32]
    d_W_o_coupled_x = d_W_x[20:24]
    d_W_i_projected_x = d_W_x[10:15]
    d_W_f_projected_x = d_W_x[5:10]
    d_W_g_projected_x = d_W_x[15:20]
    d_W_o_projected_x = d_W_x[:5]
    d_U_projected = (  # (92) (96) (100) (104) tbi,tbj->ij
        _rows(d_n[:, :, :20]).T @ _rows(projected[:T])
    )
    d_U_i_projected = d_U_projected[10:15]
    d_U_f_projected = d_U_projected[5:10]
    d_U_g_projected = d_U_projected[15:20]
    d_U_o_projected = d_U_projected[:5]
    d_b = d_n.sum(axis=(0, 1))  # (83) (86) (89) (93) (97) (101) (105) tbi->i
    d_b_f_coupled = d_b[24:28]
    d_b_g_coupled = d_b[28:32]
    d_b_o_coupled = d_b[20:24]
    d_b_i_projected = d_b[10:15]
    d_b_f_projected = d_b[5:10]
    d_b_g_projected = d_b[15:20]
    d_b_o_projected = d_b[:5]
    d_P_projected = _rows(d_projected).T @ _rows(o_tanh_c_projected)  # (106) tbi,tbj->ij
    d_s_i_normalised = (  # (107) tbi->i
        (d_i_normalised * centred_i_normalised * i_normalised * (1 - i_normalised) * (1 / np.sqrt(1e-05 + variance_i_normalised[:, :, None]))).sum(axis=(0, 1))
    )
    d_b_i_normalised = (  # (111) tbi->i
        (d_i_normalised * i_normalised * (1 - i_normalised)).sum(axis=(0, 1))
    )
    d_s_f_normalised = (  # (112) tbi->i
        (d_f_normalised * centred_f_normalised * f_normalised * (1 - f_normalised) * (1 / np.sqrt(1e-05 + variance_f_normalised[:, :, None]))).sum(axis=(0, 1))
    )
    d_b_f_normalised = (  # (116) tbi->i
        (d_f_normalised * f_normalised * (1 - f_normalised)).sum(axis=(0, 1))
    )
    d_s_g_normalised = (  # (117) tbi->i
        (d_g_normalised * centred_g_normalised * (1 - g_normalised ** 2) * (1 / np.sqrt(1e-05 + variance_g_normalised[:, :, None]))).sum(axis=(0, 1))
    )
    d_b_g_normalised = (d_g_normalised * (1 - g_normalised ** 2)).sum(axis=(0, 1))  # (121) tbi->i
    d_s_o_normalised = (  # (122) tbi->i
        (d_o_normalised * centred_o_normalised * o_normalised * (1 - o_normalised) * (1 / np.sqrt(1e-05 + variance_o_normalised[:, :, None]))).sum(axis=(0, 1))
    )
    d_W_normalised_projected = (  # (108) (113) (118) (123) tbi,tbj->ij
        _rows(d_n_normalised).T @ _rows(projected[1:])
    )
    d_W_i_normalised_projected = d_W_normalised_projected[6:9]
    d_W_f_normalised_projected = d_W_normalised_projected[3:6]
    d_W_g_normalised_projected = d_W_normalised_projected[:3]
    d_W_o_normalised_projected = d_W_normalised_projected[9:12]
    d_W_normalised_x_1 = (  # (109) (114) (119) (124) tbi,tbj->ij
        _rows(d_n_normalised).T @ _rows(x[:T])
    )
    d_W_i_normalised_x_1 = d_W_normalised_x_1[6:9]
    d_W_f_normalised_x_1 = d_W_normalised_x_1[3:6]
    d_W_g_normalised_x_1 = d_W_normalised_x_1[:3]
    d_W_o_normalised_x_1 = d_W_normalised_x_1[9:12]
    d_U_normalised = (  # (110) (115) (120) (125) tbi,tbj->ij
        _rows(d_n_normalised).T @ _rows(normalised[:T])
    )
    d_U_i_normalised = d_U_normalised[6:9]
    d_U_f_normalised = d_U_normalised[3:6]
    d_U_g_normalised = d_U_normalised[:3]
    d_U_o_normalised = d_U_normalised[9:12]
    d_b_o_normalised = (  # (126) tbi->i
        (d_o_normalised * o_normalised * (1 - o_normalised)).sum(axis=(0, 1))
    )
    d_s_c_normalised = (  # (127) tbi->i
        (d_normalised * centred_normalised * o_normalised * (1 - tanh_b_c_normalised_centred_normalised_s_c_normalised_varian ** 2) * (1 / np.sqrt(1e-05 + variance_normalised[:, :, None]))).sum(axis=(0, 1))
    )
    d_b_c_normalised = (  # (128) tbi->i
        (d_normalised * o_normalised * (1 - tanh_b_c_normalised_centred_normalised_s_c_normalised_varian ** 2)).sum(axis=(0, 1))
    )
    arrays["d_c_normalised"] = d_c_normalised
    arrays["d_c_projected"] = d_c_projected
    arrays["d_c_coupled"] = d_c_coupled
    arrays["d_W_f_coupled_x"] = d_W_f_coupled_x
    arrays["d_U_f_coupled"] = d_U_f_coupled
    arrays["d_b_f_coupled"] = d_b_f_coupled
    arrays["d_W_g_coupled_x"] = d_W_g_coupled_x
    arrays["d_U_g_coupled"] = d_U_g_coupled
    arrays["d_b_g_coupled"] = d_b_g_coupled
    arrays["d_W_o_coupled_x"] = d_W_o_coupled_x
    arrays["d_U_o_coupled"] = d_U_o_coupled
    arrays["d_b_o_coupled"] = d_b_o_coupled
    arrays["d_W_i_projected_coupled"] = d_W_i_projected_coupled
    arrays["d_W_i_projected_x"] = d_W_i_projected_x
    arrays["d_U_i_projected"] = d_U_i_projected
    arrays["d_b_i_projected"] = d_b_i_projected
    arrays["d_W_f_projected_coupled"] = d_W_f_projected_coupled
    arrays["d_W_f_projected_x"] = d_W_f_projected_x
    arrays["d_U_f_projected"] = d_U_f_projected
    arrays["d_b_f_projected"] = d_b_f_projected
    arrays["d_W_g_projected_coupled"] = d_W_g_projected_coupled
    arrays["d_W_g_projected_x"] = d_W_g_projected_x
    arrays["d_U_g_projected"] = d_U_g_projected
    arrays["d_b_g_projected"] = d_b_g_projected
    arrays["d_W_o_projected_coupled"] = d_W_o_projected_coupled
    arrays["d_W_o_projected_x"] = d_W_o_projected_x
    arrays["d_U_o_projected"] = d_U_o_projected
    arrays["d_b_o_projected"] = d_b_o_projected
    arrays["d_P_projected"] = d_P_projected
    arrays["d_s_i_normalised"] = d_s_i_normalised
    arrays["d_W_i_normalised_projected"] = d_W_i_normalised_projected
    arrays["d_W_i_normalised_x_1"] = d_W_i_normalised_x_1
    arrays["d_U_i_normalised"] = d_U_i_normalised
    arrays["d_b_i_normalised"] = d_b_i_normalised
    arrays["d_s_f_normalised"] = d_s_f_normalised
    arrays["d_W_f_normalised_projected"] = d_W_f_normalised_projected
    arrays["d_W_f_normalised_x_1"] = d_W_f_normalised_x_1
    arrays["d_U_f_normalised"] = d_U_f_normalised
    arrays["d_b_f_normalised"] = d_b_f_normalised
    arrays["d_s_g_normalised"] = d_s_g_normalised
    arrays["d_W_g_normalised_projected"] = d_W_g_normalised_projected
    arrays["d_W_g_normalised_x_1"] = d_W_g_normalised_x_1
    arrays["d_U_g_normalised"] = d_U_g_normalised
    arrays["d_b_g_normalised"] = d_b_g_normalised
    arrays["d_s_o_normalised"] = d_s_o_normalised
    arrays["d_W_o_normalised_projected"] = d_W_o_normalised_projected
    arrays["d_W_o_normalised_x_1"] = d_W_o_normalised_x_1
    arrays["d_U_o_normalised"] = d_U_o_normalised
    arrays["d_b_o_normalised"] = d_b_o_normalised
    arrays["d_s_c_normalised"] = d_s_c_normalised
    arrays["d_b_c_normalised"] = d_b_c_normalised
    arrays["d_n_normalised"] = d_n_normalised
    arrays["d_n"] = d_n


def _input_gradients(arrays, T, B, dtype):
    """The gradients of the inputs."""
    W_f_coupled_x = arrays["W_f_coupled_x"]
    W_g_coupled_x = arrays["W_g_coupled_x"]
    W_o_coupled_x = arrays["W_o_coupled_x"]
    W_i_projected_x = arrays["W_i_projected_x"]
    W_f_projected_x = arrays["W_f_projected_x"]
    W_g_projected_x = arrays["W_g_projected_x"]
    W_o_projected_x = arrays["W_o_projected_x"]
    W_i_normalised_x_1 = arrays["W_i_normalised_x_1"]
    W_f_normalised_x_1 = arrays["W_f_normalised_x_1"]
    W_g_normalised_x_1 = arrays["W_g_normalised_x_1"]
    W_o_normalised_x_1 = arrays["W_o_normalised_x_1"]
    d_n_normalised = arrays["d_n_normalised"]
    d_n = arrays["d_n"]

    W_normalised_x_1 = np.concatenate(
        (W_g_normalised_x_1, W_f_normalised_x_1, W_i_normalised_x_1, W_o_normalised_x_1)
    )
    W_x = np.concatenate(
        (
            W_o_projected_x,
            W_f_projected_x,
            W_i_projected_x,
            W_g_projected_x,
            W_o_coupled_x,
            W_f_coupled_x,
            W_g_coupled_x,
        ),
    )
    d_x = (_rows(d_n) @ W_x).reshape(-1, B, 2)  # (80) ij,tbj->tbi
    d_x[:T - 1] += (  # (80) ij,tbj->tbi
        (_rows(d_n_normalised[1:]) @ W_normalised_x_1).reshape(-1, B, 2)
    )
    arrays["d_x"] = d_x


def _initial_gradients(arrays, T, B, dtype):
    """The gradients of values outside the steps."""
    f_coupled = arrays["f_coupled"]
    f_projected = arrays["f_projected"]
    f_normalised = arrays["f_normalised"]
    U_f_coupled = arrays["U_f_coupled"]
    U_g_coupled = arrays["U_g_coupled"]
    U_o_coupled = arrays["U_o_coupled"]
    U_i_projected = arrays["U_i_projected"]
    U_f_projected = arrays["U_f_projected"]
    U_g_projected = arrays["U_g_projected"]
    U_o_projected = arrays["U_o_projected"]
    W_i_normalised_x_1 = arrays["W_i_normalised_x_1"]
    U_i_normalised = arrays["U_i_normalised"]
    W_f_normalised_x_1 = arrays["W_f_normalised_x_1"]
    U_f_normalised = arrays["U_f_normalised"]
    W_g_normalised_x_1 = arrays["W_g_normalised_x_1"]
    U_g_normalised = arrays["U_g_normalised"]
    W_o_normalised_x_1 = arrays["W_o_normalised_x_1"]
    U_o_normalised = arrays["U_o_normalised"]
    d_c_normalised = arrays["d_c_normalised"]
    d_c_projected = arrays["d_c_projected"]
    d_c_coupled = arrays["d_c_coupled"]
    d_n_normalised = arrays["d_n_normalised"]
    d_n = arrays["d_n"]

    U_normalised = np.concatenate((U_g_normalised, U_f_normalised, U_i_normalised, U_o_normalised))
    W_normalised_x_1 = np.concatenate(
        (W_g_normalised_x_1, W_f_normalised_x_1, W_i_normalised_x_1, W_o_normalised_x_1)
    )
    U_projected = np.concatenate((U_o_projected, U_f_projected, U_i_projected, U_g_projected))
    U_coupled = np.concatenate((U_o_coupled, U_f_coupled, U_g_coupled))
    d_initial_x = (  # (129) ij,kbj->kbi
        (_rows(d_n_normalised[:1]) @ W_normalised_x_1).reshape(-1, B, 2)
    )
    d_initial_coupled = (_rows(d_n[:1, :, 20:]) @ U_coupled).reshape(-1, B, 4)  # (130) ij,kbj->kbi
    d_initial_c_coupled = d_c_coupled[:1] * f_coupled[:1]  # (131)
    d_initial_projected = (  # (132) ij,kbj->kbi
        (_rows(d_n[:1, :, :20]) @ U_projected).reshape(-1, B, 2)
    )
    d_initial_c_projected = d_c_projected[:1] * f_projected[:1]  # (133)
    d_initial_normalised = (  # (134) ij,kbj->kbi
        (_rows(d_n_normalised[:1]) @ U_normalised).reshape(-1, B, 3)
    )
    d_initial_c_normalised = d_c_normalised[:1] * f_normalised[:1]  # (135)
    arrays["d_initial_x"] = d_initial_x
    arrays["d_initial_coupled"] = d_initial_coupled
    arrays["d_initial_c_coupled"] = d_initial_c_coupled
    arrays["d_initial_projected"] = d_initial_projected
    arrays["d_initial_c_projected"] = d_initial_c_projected
    arrays["d_initial_normalised"] = d_initial_normalised
    arrays["d_initial_c_normalised"] = d_initial_c_normalised


# Functions used above. None of them overflows or loses digits; a complex number takes the
# branch of its real part.


def _rows(x):
    """(..., width) as a matrix with one row for each step and sequence."""
    return x.reshape(-1, x.shape[-1])


def _extended(steps, shape, before, rows_before, after, rows_after, dtype):
    """Zeros for some steps, with the given values before the first and after the last."""
    found = np.zeros((rows_before + steps + rows_after, *shape), dtype)
    if before is not None:
        found[:rows_before] = before
    if after is not None:
        found[rows_before + steps :] = after
    return found


def _sigmoid(x, out=None):
    """1 / (1 + exp(-x))."""
    if np.iscomplexobj(x):
        e = np.exp(np.where(x.real > 0, -x, x))
        return np.divide(np.where(x.real > 0, 1, e), 1 + e, out=out)
    e = np.empty_like(x) if out is None else out
    np.subtract(0, x, out=e)  # np.negative errs where both step through memory by 64 bytes
    # exp overflows beyond this; where x lies further out the value is below the tiniest number.
    np.minimum(e, 88 if e.dtype == np.float32 else 709, out=e)
    np.exp(e, out=e)
    e += 1
    return np.reciprocal(e, out=e)


# What is given, checked at the door.

_DTYPES = tuple(map(np.dtype, ("float32", "float64", "complex128")))
_BIASES = {
    "b_f_coupled",
    "b_f_projected",
    "b_g_coupled",
    "b_g_projected",
    "b_i_projected",
    "b_o_coupled",
    "b_o_projected",
}
# What arrays hold by other names than a caller gives, and the names of gradients.
_GIVEN_AS = {
    ("targets", "normalised"): "target_normalised",
}
_GRADIENTS = {
    "W_f_coupled_x": "d_W_f_coupled_x",
    "U_f_coupled": "d_U_f_coupled",
    "b_f_coupled": "d_b_f_coupled",
    "W_g_coupled_x": "d_W_g_coupled_x",
    "U_g_coupled": "d_U_g_coupled",
    "b_g_coupled": "d_b_g_coupled",
    "W_o_coupled_x": "d_W_o_coupled_x",
    "U_o_coupled": "d_U_o_coupled",
    "b_o_coupled": "d_b_o_coupled",
    "W_i_projected_coupled": "d_W_i_projected_coupled",
    "W_i_projected_x": "d_W_i_projected_x",
    "U_i_projected": "d_U_i_projected",
    "b_i_projected": "d_b_i_projected",
    "W_f_projected_coupled": "d_W_f_projected_coupled",
    "W_f_projected_x": "d_W_f_projected_x",
    "U_f_projected": "d_U_f_projected",
    "b_f_projected": "d_b_f_projected",
    "W_g_projected_coupled": "d_W_g_projected_coupled",
    "W_g_projected_x": "d_W_g_projected_x",
    "U_g_projected": "d_U_g_projected",
    "b_g_projected": "d_b_g_projected",
    "W_o_projected_coupled": "d_W_o_projected_coupled",
    "W_o_projected_x": "d_W_o_projected_x",
    "U_o_projected": "d_U_o_projected",
    "b_o_projected": "d_b_o_projected",
    "P_projected": "d_P_projected",
    "s_i_normalised": "d_s_i_normalised",
    "W_i_normalised_projected": "d_W_i_normalised_projected",
    "W_i_normalised_x_1": "d_W_i_normalised_x_1",
    "U_i_normalised": "d_U_i_normalised",
    "b_i_normalised": "d_b_i_normalised",
    "s_f_normalised": "d_s_f_normalised",
    "W_f_normalised_projected": "d_W_f_normalised_projected",
    "W_f_normalised_x_1": "d_W_f_normalised_x_1",
    "U_f_normalised": "d_U_f_normalised",
    "b_f_normalised": "d_b_f_normalised",
    "s_g_normalised": "d_s_g_normalised",
    "W_g_normalised_projected": "d_W_g_normalised_projected",
    "W_g_normalised_x_1": "d_W_g_normalised_x_1",
    "U_g_normalised": "d_U_g_normalised",
    "b_g_normalised": "d_b_g_normalised",
    "s_o_normalised": "d_s_o_normalised",
    "W_o_normalised_projected": "d_W_o_normalised_projected",
    "W_o_normalised_x_1": "d_W_o_normalised_x_1",
    "U_o_normalised": "d_U_o_normalised",
    "b_o_normalised": "d_b_o_normalised",
    "s_c_normalised": "d_s_c_normalised",
    "b_c_normalised": "d_b_c_normalised",
}
_INPUT_GRADIENTS = {"x": "d_x"}
_INITIAL_GRADIENTS = {
    "x": "d_initial_x",
    "coupled": "d_initial_coupled",
    "c_coupled": "d_initial_c_coupled",
    "projected": "d_initial_projected",
    "c_projected": "d_initial_c_projected",
    "normalised": "d_initial_normalised",
    "c_normalised": "d_initial_c_normalised",
}
_JUDGING = ()


def _prepare(
    parameters, inputs, initial, targets=None, weights=None, judge=True, steps=None
):
    """All given arrays by name, checked, with the sizes and the dtype to compute in."""
    initial = {} if initial is None else initial
    groups = [("parameters", parameters, PARAMETERS), ("inputs", inputs, INPUTS)]
    groups.append(("initial", initial, INITIAL))
    if judge:
        groups.append(("targets", targets, TARGETS))
        groups.append(("weights", {} if weights is None else weights, WEIGHTED))
    sizes, given, dtype = _known(groups, steps)
    arrays, outside = {}, {}
    for (group, name), array in given.items():
        if group == "initial":
            outside[name] = array
        else:
            arrays[_GIVEN_AS.get((group, name), name)] = array.astype(dtype, copy=False)
    for name in _JUDGING if judge else ():
        _weighs(name, arrays[name])
    (T, B,) = (sizes[name] for name in (*LENGTHS, "B"))
    given_steps = arrays["x"]
    arrays["x"] = _extended(T, (B, 2), outside.get("x"), 1, None, 0, dtype)
    arrays["x"][1 : 1 + T] = given_steps
    arrays["coupled"] = _extended(T, (B, 4), outside.get("coupled"), 1, None, 0, dtype)
    arrays["c_coupled"] = _extended(T, (B, 4), outside.get("c_coupled"), 1, None, 0, dtype)
    arrays["projected"] = _extended(T, (B, 2), outside.get("projected"), 1, None, 0, dtype)
    arrays["c_projected"] = _extended(T, (B, 5), outside.get("c_projected"), 1, None, 0, dtype)
    arrays["normalised"] = _extended(T, (B, 3), outside.get("normalised"), 1, None, 0, dtype)
    arrays["c_normalised"] = _extended(T, (B, 3), outside.get("c_normalised"), 1, None, 0, dtype)
    return arrays, T, B, dtype


def _known(groups, steps):
    """The sizes, the given arrays by group and name, checked, and the dtype to compute in."""
    for group, found, shapes in groups:
        _check_names(group, found, shapes)
    sizes = _sizes(groups, steps)
    given = {}
    for group, found, shapes in groups:
        for name, shape in shapes.items():
            if group == "initial" and name not in found:
                continue
            array = np.asarray(found[name])
            if group != "parameters":
                shape = tuple([sizes.get(n, n) for n in shape])
            is_data = group == "targets" and name in CLASSES
            if is_data:
                array = _one_hot(f"{group}[{name!r}]", array, shape)
            elif group == "inputs" and name in MASKS:
                is_data, array = True, _mask(f"{group}[{name!r}]", array, shape)
            if array.shape != shape or array.dtype not in _DTYPES:
                _check(f"{group}[{name!r}]", array, shape, is_data)
            given[group, name] = array
    return sizes, given, _dtype(given)


def _check_names(group, found, shapes):
    """Refuse a dict that is none, that lacks an array, or that has one too many."""
    if not isinstance(found, dict):
        kind = type(found).__name__
        raise ValueError(f"{group} is a {kind}; a dict of {list(shapes)} is expected")
    if found.keys() == shapes.keys():
        return
    for name in found:
        if name not in shapes:
            raise ValueError(f"{group}[{name!r}] is not known; known are {list(shapes)}")
    for name, shape in shapes.items():
        if name not in found and group != "initial":
            raise ValueError(f"{group}[{name!r}] is missing; an array {_said(shape)} is expected")


def _said(shape):
    """A shape as one says it: (T, B, 3)."""
    return f"({', '.join(map(str, shape))}{',' if len(shape) == 1 else ''})"


def _sizes(groups, steps):
    """The sizes by name, each as the first array that carries it has it."""
    sizes = {} if steps is None else {"T": steps}
    for group, found, shapes in groups:
        for name, shape in shapes.items() if group != "parameters" else ():
            actual = np.shape(found.get(name))
            by_class = group == "targets" and name in CLASSES
            if len(actual) in (len(shape), len(shape) - by_class):
                for size, n in zip(shape, actual, strict=False):
                    if isinstance(size, str):
                        sizes.setdefault(size, n)
            elif group == "inputs" and name not in MASKS:
                where = f"inputs[{name!r}]"
                raise ValueError(f"{where} has shape {actual}; {_said(shape)} is expected")
    for size in (*LENGTHS, "B"):
        if sizes.get(size, 0) < 1:
            known = f"is {sizes[size]}" if size in sizes else "is not known"
            raise ValueError(f"the size {size} {known}; 1 or more is needed, by the given arrays")
    return sizes


def _check(where, array, shape, is_data):
    """Refuse a wrong dtype or shape."""
    if array.dtype not in _DTYPES and not (is_data and array.dtype.kind in "biu"):
        names = ", ".join(map(str, _DTYPES))
        raise ValueError(f"{where} has dtype {array.dtype}; {names} are possible")
    if array.shape != shape:
        raise ValueError(f"{where} has shape {array.shape}; {shape} is expected")


def _dtype(given):
    """The dtype to compute in; refuses float32 beside others, which would be widened silently."""
    dtypes = {array.dtype for array in given.values() if array.dtype in _DTYPES}
    if len(dtypes) > 1 and np.dtype("float32") in dtypes:
        known = [(f"{g}[{n!r}]", a.dtype) for (g, n), a in given.items() if a.dtype in _DTYPES]
        first = next(where for where, dtype in known if dtype.name == "float32")
        other = next(where for where, dtype in known if dtype.name != "float32")
        raise ValueError(f"{first} is float32 and {other} is not; give all of one dtype")
    return np.result_type(*dtypes)


def _mask(where, array, shape):
    """A mask as numbers: of truth values, or of the length of each sequence."""
    if array.dtype.kind in "iu" and array.ndim == 1 and len(shape) == 2:
        if array.shape != shape[1:] or np.any(array < 0) or np.any(array > shape[0]):
            expected = f"{shape[1]} from 0 to {shape[0]} are expected"
            raise ValueError(f"{where} holds lengths; {expected}")
        return np.arange(shape[0])[:, None] < array
    return array


def _one_hot(where, labels, shape):
    """The targets of classes: class numbers become rows that hold a single one."""
    if labels.dtype.kind not in "iu":
        if labels.shape == shape[:-1]:
            raise ValueError(f"{where} has dtype {labels.dtype}; classes are integers")
        return labels
    if labels.shape == shape:
        return labels
    if labels.shape != shape[:-1]:
        raise ValueError(
            f"{where} has shape {labels.shape}; class numbers of shape {shape[:-1]}, or an array "
            f"of shape {shape}, are expected"
        )
    outside = labels[(labels < 0) | (labels >= shape[-1])]
    if outside.size:
        raise ValueError(f"{where} has class {outside[0]}; 0..{shape[-1] - 1} exist")
    return labels[..., None] == np.arange(shape[-1])


def _weighs(name, weight):
    """Refuse weights of steps that are below zero, or all zero."""
    weight = np.real(weight)
    if not np.all(weight >= 0) or not np.any(weight):
        raise ValueError(f"{name} weights the steps: it must be 0 or more, and not all zero")
# Generated. SHA-256 of all above: 9eef2b16a8038eb0e27a56bf89b1ed64a2e28b732a3de630f61b62ce1eb1f99e
