"""stacked_bidirectional: a recurrent network with 579 parameters.

Inputs x (T, B, 3), valid (T, B); outputs output (T, B, 5).

Arrays are laid out (time, batch, width); T, B are the numbers of steps and of sequences.
Parameters, inputs, targets and gradients are dicts of arrays by name, all of one dtype:
float32, float64, or complex128 (for derivatives by complex step).

Equations; d_x stands for the derivative of the loss by x, and a term with a condition in
brackets is zero where the condition does not hold.
t = 0..T-1 steps, b = 0..B-1 sequences; sizes N_x = 3, N_forth = 4, N_back = 4, N_forth2 = 3,
N_back2 = 3, N_output = 5.

  (1)  n_i_forth[t,b,i] = sum_j W_i_forth_x[i,j]*x[t,b,j]
           + sum_j U_i_forth[i,j]*state_forth[t-1,b,j] + b_i_forth[i]
  (2)  i_forth[t,b,i] = sigmoid(n_i_forth[t,b,i])
  (3)  n_f_forth[t,b,i] = sum_j W_f_forth_x[i,j]*x[t,b,j]
           + sum_j U_f_forth[i,j]*state_forth[t-1,b,j] + b_f_forth[i]
  (4)  f_forth[t,b,i] = sigmoid(n_f_forth[t,b,i])
  (5)  n_g_forth[t,b,i] = sum_j W_g_forth_x[i,j]*x[t,b,j]
           + sum_j U_g_forth[i,j]*state_forth[t-1,b,j] + b_g_forth[i]
  (6)  g_forth[t,b,i] = tanh(n_g_forth[t,b,i])
  (7)  n_o_forth[t,b,i] = sum_j W_o_forth_x[i,j]*x[t,b,j]
           + sum_j U_o_forth[i,j]*state_forth[t-1,b,j] + b_o_forth[i]
  (8)  o_forth[t,b,i] = sigmoid(n_o_forth[t,b,i])
  (9)  c_forth[t,b,i] = c_forth[t-1,b,i]*f_forth[t,b,i]*valid[t,b]
           + g_forth[t,b,i]*i_forth[t,b,i]*valid[t,b] + c_forth[t-1,b,i]*(1 - valid[t,b])
 (10)  state_forth[t,b,i] = o_forth[t,b,i]*valid[t,b]*tanh(c_forth[t,b,i])
           + state_forth[t-1,b,i]*(1 - valid[t,b])
 (11)  n_i_back[t,b,i] = sum_j W_i_back_x[i,j]*x[t,b,j]
           + sum_j U_i_back[i,j]*state_back[t+1,b,j] + b_i_back[i]
 (12)  i_back[t,b,i] = sigmoid(n_i_back[t,b,i])
 (13)  n_f_back[t,b,i] = sum_j W_f_back_x[i,j]*x[t,b,j]
           + sum_j U_f_back[i,j]*state_back[t+1,b,j] + b_f_back[i]
 (14)  f_back[t,b,i] = sigmoid(n_f_back[t,b,i])
 (15)  n_g_back[t,b,i] = sum_j W_g_back_x[i,j]*x[t,b,j]
           + sum_j U_g_back[i,j]*state_back[t+1,b,j] + b_g_back[i]
 (16)  g_back[t,b,i] = tanh(n_g_back[t,b,i])
 (17)  n_o_back[t,b,i] = sum_j W_o_back_x[i,j]*x[t,b,j]
           + sum_j U_o_back[i,j]*state_back[t+1,b,j] + b_o_back[i]
 (18)  o_back[t,b,i] = sigmoid(n_o_back[t,b,i])
 (19)  c_back[t,b,i] = c_back[t+1,b,i]*f_back[t,b,i]*valid[t,b]
           + g_back[t,b,i]*i_back[t,b,i]*valid[t,b] + c_back[t+1,b,i]*(1 - valid[t,b])
 (20)  state_back[t,b,i] = o_back[t,b,i]*valid[t,b]*tanh(c_back[t,b,i])
           + state_back[t+1,b,i]*(1 - valid[t,b])
 (21)  n_i_forth2[t,b,i] = sum_j W_i_forth2_forth[i,j]*forth[t,b,j]
           + sum_j W_i_forth2_back[i,j]*back[t,b,j]
           + sum_j U_i_forth2[i,j]*state_forth2[t-1,b,j] + b_i_forth2[i]
 (22)  i_forth2[t,b,i] = sigmoid(n_i_forth2[t,b,i])
 (23)  n_f_forth2[t,b,i] = sum_j W_f_forth2_forth[i,j]*forth[t,b,j]
           + sum_j W_f_forth2_back[i,j]*back[t,b,j]
           + sum_j U_f_forth2[i,j]*state_forth2[t-1,b,j] + b_f_forth2[i]
 (24)  f_forth2[t,b,i] = sigmoid(n_f_forth2[t,b,i])
 (25)  n_g_forth2[t,b,i] = sum_j W_g_forth2_forth[i,j]*forth[t,b,j]
           + sum_j W_g_forth2_back[i,j]*back[t,b,j]
           + sum_j U_g_forth2[i,j]*state_forth2[t-1,b,j] + b_g_forth2[i]
 (26)  g_forth2[t,b,i] = tanh(n_g_forth2[t,b,i])
 (27)  n_o_forth2[t,b,i] = sum_j W_o_forth2_forth[i,j]*forth[t,b,j]
           + sum_j W_o_forth2_back[i,j]*back[t,b,j]
           + sum_j U_o_forth2[i,j]*state_forth2[t-1,b,j] + b_o_forth2[i]
 (28)  o_forth2[t,b,i] = sigmoid(n_o_forth2[t,b,i])
 (29)  c_forth2[t,b,i] = c_forth2[t-1,b,i]*f_forth2[t,b,i]*valid[t,b]
           + g_forth2[t,b,i]*i_forth2[t,b,i]*valid[t,b] + c_forth2[t-1,b,i]*(1 - valid[t,b])
 (30)  state_forth2[t,b,i] = o_forth2[t,b,i]*valid[t,b]*tanh(c_forth2[t,b,i])
           + state_forth2[t-1,b,i]*(1 - valid[t,b])
 (31)  n_i_back2[t,b,i] = sum_j W_i_back2_forth[i,j]*forth[t,b,j]
           + sum_j W_i_back2_back[i,j]*back[t,b,j] + sum_j U_i_back2[i,j]*state_back2[t+1,b,j]
           + b_i_back2[i]
 (32)  i_back2[t,b,i] = sigmoid(n_i_back2[t,b,i])
 (33)  n_f_back2[t,b,i] = sum_j W_f_back2_forth[i,j]*forth[t,b,j]
           + sum_j W_f_back2_back[i,j]*back[t,b,j] + sum_j U_f_back2[i,j]*state_back2[t+1,b,j]
           + b_f_back2[i]
 (34)  f_back2[t,b,i] = sigmoid(n_f_back2[t,b,i])
 (35)  n_g_back2[t,b,i] = sum_j W_g_back2_forth[i,j]*forth[t,b,j]
           + sum_j W_g_back2_back[i,j]*back[t,b,j] + sum_j U_g_back2[i,j]*state_back2[t+1,b,j]
           + b_g_back2[i]
 (36)  g_back2[t,b,i] = tanh(n_g_back2[t,b,i])
 (37)  n_o_back2[t,b,i] = sum_j W_o_back2_forth[i,j]*forth[t,b,j]
           + sum_j W_o_back2_back[i,j]*back[t,b,j] + sum_j U_o_back2[i,j]*state_back2[t+1,b,j]
           + b_o_back2[i]
 (38)  o_back2[t,b,i] = sigmoid(n_o_back2[t,b,i])
 (39)  c_back2[t,b,i] = c_back2[t+1,b,i]*f_back2[t,b,i]*valid[t,b]
           + g_back2[t,b,i]*i_back2[t,b,i]*valid[t,b] + c_back2[t+1,b,i]*(1 - valid[t,b])
 (40)  state_back2[t,b,i] = o_back2[t,b,i]*valid[t,b]*tanh(c_back2[t,b,i])
           + state_back2[t+1,b,i]*(1 - valid[t,b])
 (41)  n_output[t,b,i] = sum_j W_output_forth2[i,j]*forth2[t,b,j]
           + sum_j W_output_back2[i,j]*back2[t,b,j] + b_output[i]
 (42)  logsumexp_output[t,b] = log(sum_i exp(n_output[t,b,i]))
 (43)  output[t,b,i] = exp(n_output[t,b,i] - logsumexp_output[t,b])
 (44)  forth[t,b,i] = state_forth[t,b,i]*valid[t,b]
 (45)  back[t,b,i] = state_back[t,b,i]*valid[t,b]
 (46)  forth2[t,b,i] = state_forth2[t,b,i]*valid[t,b]
 (47)  back2[t,b,i] = state_back2[t,b,i]*valid[t,b]
 (48)  total_weight_output = sum_t,b valid[t,b]
 (49)  loss = sum_t,b logsumexp_output[t,b]*valid[t,b]/total_weight_output
           - sum_t,b,i n_output[t,b,i]*target_output[t,b,i]*valid[t,b]/total_weight_output
 (50)  d_back2[t,b,i] = sum_j W_output_back2[j,i]*d_n_output[t,b,j]
 (51)  d_forth2[t,b,i] = sum_j W_output_forth2[j,i]*d_n_output[t,b,j]
 (52)  d_back[t,b,i] = sum_j W_o_back2_back[j,i]*d_n_o_back2[t,b,j]
           + sum_j W_g_back2_back[j,i]*d_n_g_back2[t,b,j]
           + sum_j W_f_back2_back[j,i]*d_n_f_back2[t,b,j]
           + sum_j W_i_back2_back[j,i]*d_n_i_back2[t,b,j]
           + sum_j W_o_forth2_back[j,i]*d_n_o_forth2[t,b,j]
           + sum_j W_g_forth2_back[j,i]*d_n_g_forth2[t,b,j]
           + sum_j W_f_forth2_back[j,i]*d_n_f_forth2[t,b,j]
           + sum_j W_i_forth2_back[j,i]*d_n_i_forth2[t,b,j]
 (53)  d_forth[t,b,i] = sum_j W_o_back2_forth[j,i]*d_n_o_back2[t,b,j]
           + sum_j W_g_back2_forth[j,i]*d_n_g_back2[t,b,j]
           + sum_j W_f_back2_forth[j,i]*d_n_f_back2[t,b,j]
           + sum_j W_i_back2_forth[j,i]*d_n_i_back2[t,b,j]
           + sum_j W_o_forth2_forth[j,i]*d_n_o_forth2[t,b,j]
           + sum_j W_g_forth2_forth[j,i]*d_n_g_forth2[t,b,j]
           + sum_j W_f_forth2_forth[j,i]*d_n_f_forth2[t,b,j]
           + sum_j W_i_forth2_forth[j,i]*d_n_i_forth2[t,b,j]
 (54)  d_n_output[t,b,i] = valid[t,b]*(output[t,b,i] - target_output[t,b,i])/total_weight_output
 (55)  d_state_back2[t,b,i] = d_back2[t,b,i]*valid[t,b]
           + d_state_back2[t-1,b,i]*(1 - valid[t-1,b]) [t >= 1]
           + sum_j U_o_back2[j,i]*d_n_o_back2[t-1,b,j] [t >= 1]
           + sum_j U_g_back2[j,i]*d_n_g_back2[t-1,b,j] [t >= 1]
           + sum_j U_f_back2[j,i]*d_n_f_back2[t-1,b,j] [t >= 1]
           + sum_j U_i_back2[j,i]*d_n_i_back2[t-1,b,j] [t >= 1]
 (56)  d_c_back2[t,b,i] = d_state_back2[t,b,i]*o_back2[t,b,i]*valid[t,b]*(1 - tanh(c_back2[t,b,i])^2)
           + d_c_back2[t-1,b,i]*(1 + f_back2[t-1,b,i]*valid[t-1,b] - valid[t-1,b]) [t >= 1]
 (57)  d_o_back2[t,b,i] = d_state_back2[t,b,i]*valid[t,b]*tanh(c_back2[t,b,i])
 (58)  d_n_o_back2[t,b,i] = d_o_back2[t,b,i]*o_back2[t,b,i]*(1 - o_back2[t,b,i])
 (59)  d_g_back2[t,b,i] = d_c_back2[t,b,i]*i_back2[t,b,i]*valid[t,b]
 (60)  d_n_g_back2[t,b,i] = d_g_back2[t,b,i]*(1 - g_back2[t,b,i]^2)
 (61)  d_f_back2[t,b,i] = d_c_back2[t,b,i]*c_back2[t+1,b,i]*valid[t,b]
 (62)  d_n_f_back2[t,b,i] = d_f_back2[t,b,i]*f_back2[t,b,i]*(1 - f_back2[t,b,i])
 (63)  d_i_back2[t,b,i] = d_c_back2[t,b,i]*g_back2[t,b,i]*valid[t,b]
 (64)  d_n_i_back2[t,b,i] = d_i_back2[t,b,i]*i_back2[t,b,i]*(1 - i_back2[t,b,i])
 (65)  d_state_forth2[t,b,i] = d_forth2[t,b,i]*valid[t,b]
           + d_state_forth2[t+1,b,i]*(1 - valid[t+1,b]) [t <= T-2]
           + sum_j U_o_forth2[j,i]*d_n_o_forth2[t+1,b,j] [t <= T-2]
           + sum_j U_g_forth2[j,i]*d_n_g_forth2[t+1,b,j] [t <= T-2]
           + sum_j U_f_forth2[j,i]*d_n_f_forth2[t+1,b,j] [t <= T-2]
           + sum_j U_i_forth2[j,i]*d_n_i_forth2[t+1,b,j] [t <= T-2]
 (66)  d_c_forth2[t,b,i] = d_state_forth2[t,b,i]*o_forth2[t,b,i]*valid[t,b]*(1 - tanh(c_forth2[t,b,i])^2)
           + d_c_forth2[t+1,b,i]*(1 + f_forth2[t+1,b,i]*valid[t+1,b] - valid[t+1,b]) [t <= T-2]
 (67)  d_o_forth2[t,b,i] = d_state_forth2[t,b,i]*valid[t,b]*tanh(c_forth2[t,b,i])
 (68)  d_n_o_forth2[t,b,i] = d_o_forth2[t,b,i]*o_forth2[t,b,i]*(1 - o_forth2[t,b,i])
 (69)  d_g_forth2[t,b,i] = d_c_forth2[t,b,i]*i_forth2[t,b,i]*valid[t,b]
 (70)  d_n_g_forth2[t,b,i] = d_g_forth2[t,b,i]*(1 - g_forth2[t,b,i]^2)
 (71)  d_f_forth2[t,b,i] = d_c_forth2[t,b,i]*c_forth2[t-1,b,i]*valid[t,b]
 (72)  d_n_f_forth2[t,b,i] = d_f_forth2[t,b,i]*f_forth2[t,b,i]*(1 - f_forth2[t,b,i])
 (73)  d_i_forth2[t,b,i] = d_c_forth2[t,b,i]*g_forth2[t,b,i]*valid[t,b]
 (74)  d_n_i_forth2[t,b,i] = d_i_forth2[t,b,i]*i_forth2[t,b,i]*(1 - i_forth2[t,b,i])
 (75)  d_state_back[t,b,i] = d_back[t,b,i]*valid[t,b]
           + d_state_back[t-1,b,i]*(1 - valid[t-1,b]) [t >= 1]
           + sum_j U_o_back[j,i]*d_n_o_back[t-1,b,j] [t >= 1]
           + sum_j U_g_back[j,i]*d_n_g_back[t-1,b,j] [t >= 1]
           + sum_j U_f_back[j,i]*d_n_f_back[t-1,b,j] [t >= 1]
           + sum_j U_i_back[j,i]*d_n_i_back[t-1,b,j] [t >= 1]
 (76)  d_c_back[t,b,i] = d_state_back[t,b,i]*o_back[t,b,i]*valid[t,b]*(1 - tanh(c_back[t,b,i])^2)
           + d_c_back[t-1,b,i]*(1 + f_back[t-1,b,i]*valid[t-1,b] - valid[t-1,b]) [t >= 1]
 (77)  d_o_back[t,b,i] = d_state_back[t,b,i]*valid[t,b]*tanh(c_back[t,b,i])
 (78)  d_n_o_back[t,b,i] = d_o_back[t,b,i]*o_back[t,b,i]*(1 - o_back[t,b,i])
 (79)  d_g_back[t,b,i] = d_c_back[t,b,i]*i_back[t,b,i]*valid[t,b]
 (80)  d_n_g_back[t,b,i] = d_g_back[t,b,i]*(1 - g_back[t,b,i]^2)
 (81)  d_f_back[t,b,i] = d_c_back[t,b,i]*c_back[t+1,b,i]*valid[t,b]
 (82)  d_n_f_back[t,b,i] = d_f_back[t,b,i]*f_back[t,b,i]*(1 - f_back[t,b,i])
 (83)  d_i_back[t,b,i] = d_c_back[t,b,i]*g_back[t,b,i]*valid[t,b]
 (84)  d_n_i_back[t,b,i] = d_i_back[t,b,i]*i_back[t,b,i]*(1 - i_back[t,b,i])
 (85)  d_state_forth[t,b,i] = d_forth[t,b,i]*valid[t,b]
           + d_state_forth[t+1,b,i]*(1 - valid[t+1,b]) [t <= T-2]
           + sum_j U_o_forth[j,i]*d_n_o_forth[t+1,b,j] [t <= T-2]
           + sum_j U_g_forth[j,i]*d_n_g_forth[t+1,b,j] [t <= T-2]
           + sum_j U_f_forth[j,i]*d_n_f_forth[t+1,b,j] [t <= T-2]
           + sum_j U_i_forth[j,i]*d_n_i_forth[t+1,b,j] [t <= T-2]
 (86)  d_c_forth[t,b,i] = d_state_forth[t,b,i]*o_forth[t,b,i]*valid[t,b]*(1 - tanh(c_forth[t,b,i])^2)
           + d_c_forth[t+1,b,i]*(1 + f_forth[t+1,b,i]*valid[t+1,b] - valid[t+1,b]) [t <= T-2]
 (87)  d_o_forth[t,b,i] = d_state_forth[t,b,i]*valid[t,b]*tanh(c_forth[t,b,i])
 (88)  d_n_o_forth[t,b,i] = d_o_forth[t,b,i]*o_forth[t,b,i]*(1 - o_forth[t,b,i])
 (89)  d_g_forth[t,b,i] = d_c_forth[t,b,i]*i_forth[t,b,i]*valid[t,b]
 (90)  d_n_g_forth[t,b,i] = d_g_forth[t,b,i]*(1 - g_forth[t,b,i]^2)
 (91)  d_f_forth[t,b,i] = d_c_forth[t,b,i]*c_forth[t-1,b,i]*valid[t,b]
 (92)  d_n_f_forth[t,b,i] = d_f_forth[t,b,i]*f_forth[t,b,i]*(1 - f_forth[t,b,i])
 (93)  d_i_forth[t,b,i] = d_c_forth[t,b,i]*g_forth[t,b,i]*valid[t,b]
 (94)  d_n_i_forth[t,b,i] = d_i_forth[t,b,i]*i_forth[t,b,i]*(1 - i_forth[t,b,i])
 (95)  d_x[t,b,i] = sum_j W_o_back_x[j,i]*d_n_o_back[t,b,j]
           + sum_j W_g_back_x[j,i]*d_n_g_back[t,b,j] + sum_j W_f_back_x[j,i]*d_n_f_back[t,b,j]
           + sum_j W_i_back_x[j,i]*d_n_i_back[t,b,j] + sum_j W_o_forth_x[j,i]*d_n_o_forth[t,b,j]
           + sum_j W_g_forth_x[j,i]*d_n_g_forth[t,b,j]
           + sum_j W_f_forth_x[j,i]*d_n_f_forth[t,b,j]
           + sum_j W_i_forth_x[j,i]*d_n_i_forth[t,b,j]
 (96)  d_W_i_forth_x[i,j] = sum_t,b d_n_i_forth[t,b,i]*x[t,b,j]
 (97)  d_U_i_forth[i,j] = sum_t,b d_n_i_forth[t,b,i]*state_forth[t-1,b,j]
 (98)  d_b_i_forth[i] = sum_t,b d_n_i_forth[t,b,i]
 (99)  d_W_f_forth_x[i,j] = sum_t,b d_n_f_forth[t,b,i]*x[t,b,j]
(100)  d_U_f_forth[i,j] = sum_t,b d_n_f_forth[t,b,i]*state_forth[t-1,b,j]
(101)  d_b_f_forth[i] = sum_t,b d_n_f_forth[t,b,i]
(102)  d_W_g_forth_x[i,j] = sum_t,b d_n_g_forth[t,b,i]*x[t,b,j]
(103)  d_U_g_forth[i,j] = sum_t,b d_n_g_forth[t,b,i]*state_forth[t-1,b,j]
(104)  d_b_g_forth[i] = sum_t,b d_n_g_forth[t,b,i]
(105)  d_W_o_forth_x[i,j] = sum_t,b d_n_o_forth[t,b,i]*x[t,b,j]
(106)  d_U_o_forth[i,j] = sum_t,b d_n_o_forth[t,b,i]*state_forth[t-1,b,j]
(107)  d_b_o_forth[i] = sum_t,b d_n_o_forth[t,b,i]
(108)  d_W_i_back_x[i,j] = sum_t,b d_n_i_back[t,b,i]*x[t,b,j]
(109)  d_U_i_back[i,j] = sum_t,b d_n_i_back[t,b,i]*state_back[t+1,b,j]
(110)  d_b_i_back[i] = sum_t,b d_n_i_back[t,b,i]
(111)  d_W_f_back_x[i,j] = sum_t,b d_n_f_back[t,b,i]*x[t,b,j]
(112)  d_U_f_back[i,j] = sum_t,b d_n_f_back[t,b,i]*state_back[t+1,b,j]
(113)  d_b_f_back[i] = sum_t,b d_n_f_back[t,b,i]
(114)  d_W_g_back_x[i,j] = sum_t,b d_n_g_back[t,b,i]*x[t,b,j]
(115)  d_U_g_back[i,j] = sum_t,b d_n_g_back[t,b,i]*state_back[t+1,b,j]
(116)  d_b_g_back[i] = sum_t,b d_n_g_back[t,b,i]
(117)  d_W_o_back_x[i,j] = sum_t,b d_n_o_back[t,b,i]*x[t,b,j]
(118)  d_U_o_back[i,j] = sum_t,b d_n_o_back[t,b,i]*state_back[t+1,b,j]
(119)  d_b_o_back[i] = sum_t,b d_n_o_back[t,b,i]
(120)  d_W_i_forth2_forth[i,j] = sum_t,b d_n_i_forth2[t,b,i]*forth[t,b,j]
(121)  d_W_i_forth2_back[i,j] = sum_t,b d_n_i_forth2[t,b,i]*back[t,b,j]
(122)  d_U_i_forth2[i,j] = sum_t,b d_n_i_forth2[t,b,i]*state_forth2[t-1,b,j]
(123)  d_b_i_forth2[i] = sum_t,b d_n_i_forth2[t,b,i]
(124)  d_W_f_forth2_forth[i,j] = sum_t,b d_n_f_forth2[t,b,i]*forth[t,b,j]
(125)  d_W_f_forth2_back[i,j] = sum_t,b d_n_f_forth2[t,b,i]*back[t,b,j]
(126)  d_U_f_forth2[i,j] = sum_t,b d_n_f_forth2[t,b,i]*state_forth2[t-1,b,j]
(127)  d_b_f_forth2[i] = sum_t,b d_n_f_forth2[t,b,i]
(128)  d_W_g_forth2_forth[i,j] = sum_t,b d_n_g_forth2[t,b,i]*forth[t,b,j]
(129)  d_W_g_forth2_back[i,j] = sum_t,b d_n_g_forth2[t,b,i]*back[t,b,j]
(130)  d_U_g_forth2[i,j] = sum_t,b d_n_g_forth2[t,b,i]*state_forth2[t-1,b,j]
(131)  d_b_g_forth2[i] = sum_t,b d_n_g_forth2[t,b,i]
(132)  d_W_o_forth2_forth[i,j] = sum_t,b d_n_o_forth2[t,b,i]*forth[t,b,j]
(133)  d_W_o_forth2_back[i,j] = sum_t,b d_n_o_forth2[t,b,i]*back[t,b,j]
(134)  d_U_o_forth2[i,j] = sum_t,b d_n_o_forth2[t,b,i]*state_forth2[t-1,b,j]
(135)  d_b_o_forth2[i] = sum_t,b d_n_o_forth2[t,b,i]
(136)  d_W_i_back2_forth[i,j] = sum_t,b d_n_i_back2[t,b,i]*forth[t,b,j]
(137)  d_W_i_back2_back[i,j] = sum_t,b d_n_i_back2[t,b,i]*back[t,b,j]
(138)  d_U_i_back2[i,j] = sum_t,b d_n_i_back2[t,b,i]*state_back2[t+1,b,j]
(139)  d_b_i_back2[i] = sum_t,b d_n_i_back2[t,b,i]
(140)  d_W_f_back2_forth[i,j] = sum_t,b d_n_f_back2[t,b,i]*forth[t,b,j]
(141)  d_W_f_back2_back[i,j] = sum_t,b d_n_f_back2[t,b,i]*back[t,b,j]
(142)  d_U_f_back2[i,j] = sum_t,b d_n_f_back2[t,b,i]*state_back2[t+1,b,j]
(143)  d_b_f_back2[i] = sum_t,b d_n_f_back2[t,b,i]
(144)  d_W_g_back2_forth[i,j] = sum_t,b d_n_g_back2[t,b,i]*forth[t,b,j]
(145)  d_W_g_back2_back[i,j] = sum_t,b d_n_g_back2[t,b,i]*back[t,b,j]
(146)  d_U_g_back2[i,j] = sum_t,b d_n_g_back2[t,b,i]*state_back2[t+1,b,j]
(147)  d_b_g_back2[i] = sum_t,b d_n_g_back2[t,b,i]
(148)  d_W_o_back2_forth[i,j] = sum_t,b d_n_o_back2[t,b,i]*forth[t,b,j]
(149)  d_W_o_back2_back[i,j] = sum_t,b d_n_o_back2[t,b,i]*back[t,b,j]
(150)  d_U_o_back2[i,j] = sum_t,b d_n_o_back2[t,b,i]*state_back2[t+1,b,j]
(151)  d_b_o_back2[i] = sum_t,b d_n_o_back2[t,b,i]
(152)  d_W_output_forth2[i,j] = sum_t,b d_n_output[t,b,i]*forth2[t,b,j]
(153)  d_W_output_back2[i,j] = sum_t,b d_n_output[t,b,i]*back2[t,b,j]
(154)  d_b_output[i] = sum_t,b d_n_output[t,b,i]
(155)  d_initial_state_forth[k,b,i] = d_state_forth[k,b,i]*(1 - valid[k,b])
           + sum_j U_o_forth[j,i]*d_n_o_forth[k,b,j] + sum_j U_g_forth[j,i]*d_n_g_forth[k,b,j]
           + sum_j U_f_forth[j,i]*d_n_f_forth[k,b,j] + sum_j U_i_forth[j,i]*d_n_i_forth[k,b,j]
(156)  d_initial_c_forth[k,b,i] = d_c_forth[k,b,i]*(1 + f_forth[k,b,i]*valid[k,b] - valid[k,b])
(157)  d_after_state_back[k,b,i] = d_state_back[k+T-1,b,i]*(1 - valid[k+T-1,b])
           + sum_j U_o_back[j,i]*d_n_o_back[k+T-1,b,j]
           + sum_j U_g_back[j,i]*d_n_g_back[k+T-1,b,j]
           + sum_j U_f_back[j,i]*d_n_f_back[k+T-1,b,j]
           + sum_j U_i_back[j,i]*d_n_i_back[k+T-1,b,j]
(158)  d_after_c_back[k,b,i] = d_c_back[k+T-1,b,i]*(1 + f_back[k+T-1,b,i]*valid[k+T-1,b] - valid[k+T-1,b])
(159)  d_initial_state_forth2[k,b,i] = d_state_forth2[k,b,i]*(1 - valid[k,b])
           + sum_j U_o_forth2[j,i]*d_n_o_forth2[k,b,j]
           + sum_j U_g_forth2[j,i]*d_n_g_forth2[k,b,j]
           + sum_j U_f_forth2[j,i]*d_n_f_forth2[k,b,j]
           + sum_j U_i_forth2[j,i]*d_n_i_forth2[k,b,j]
(160)  d_initial_c_forth2[k,b,i] = d_c_forth2[k,b,i]*(1 + f_forth2[k,b,i]*valid[k,b] - valid[k,b])
(161)  d_after_state_back2[k,b,i] = d_state_back2[k+T-1,b,i]*(1 - valid[k+T-1,b])
           + sum_j U_o_back2[j,i]*d_n_o_back2[k+T-1,b,j]
           + sum_j U_g_back2[j,i]*d_n_g_back2[k+T-1,b,j]
           + sum_j U_f_back2[j,i]*d_n_f_back2[k+T-1,b,j]
           + sum_j U_i_back2[j,i]*d_n_i_back2[k+T-1,b,j]
(162)  d_after_c_back2[k,b,i] = d_c_back2[k+T-1,b,i]*(1 + f_back2[k+T-1,b,i]*valid[k+T-1,b] - valid[k+T-1,b])

Generated by bptt from a topology file. This module needs NumPy and nothing else.
"""

import numpy as np

# Parameters, with their shapes.
PARAMETERS = {
    "W_i_forth_x": (4, 3),
    "U_i_forth": (4, 4),
    "b_i_forth": (4,),
    "W_f_forth_x": (4, 3),
    "U_f_forth": (4, 4),
    "b_f_forth": (4,),
    "W_g_forth_x": (4, 3),
    "U_g_forth": (4, 4),
    "b_g_forth": (4,),
    "W_o_forth_x": (4, 3),
    "U_o_forth": (4, 4),
    "b_o_forth": (4,),
    "W_i_back_x": (4, 3),
    "U_i_back": (4, 4),
    "b_i_back": (4,),
    "W_f_back_x": (4, 3),
    "U_f_back": (4, 4),
    "b_f_back": (4,),
    "W_g_back_x": (4, 3),
    "U_g_back": (4, 4),
    "b_g_back": (4,),
    "W_o_back_x": (4, 3),
    "U_o_back": (4, 4),
    "b_o_back": (4,),
    "W_i_forth2_forth": (3, 4),
    "W_i_forth2_back": (3, 4),
    "U_i_forth2": (3, 3),
    "b_i_forth2": (3,),
    "W_f_forth2_forth": (3, 4),
    "W_f_forth2_back": (3, 4),
    "U_f_forth2": (3, 3),
    "b_f_forth2": (3,),
    "W_g_forth2_forth": (3, 4),
    "W_g_forth2_back": (3, 4),
    "U_g_forth2": (3, 3),
    "b_g_forth2": (3,),
    "W_o_forth2_forth": (3, 4),
    "W_o_forth2_back": (3, 4),
    "U_o_forth2": (3, 3),
    "b_o_forth2": (3,),
    "W_i_back2_forth": (3, 4),
    "W_i_back2_back": (3, 4),
    "U_i_back2": (3, 3),
    "b_i_back2": (3,),
    "W_f_back2_forth": (3, 4),
    "W_f_back2_back": (3, 4),
    "U_f_back2": (3, 3),
    "b_f_back2": (3,),
    "W_g_back2_forth": (3, 4),
    "W_g_back2_back": (3, 4),
    "U_g_back2": (3, 3),
    "b_g_back2": (3,),
    "W_o_back2_forth": (3, 4),
    "W_o_back2_back": (3, 4),
    "U_o_back2": (3, 3),
    "b_o_back2": (3,),
    "W_output_forth2": (5, 3),
    "W_output_back2": (5, 3),
    "b_output": (5,),
}

# Inputs, outputs, targets of the losses, and weights of the steps of weighted losses: names with
# shapes in which T (and other lengths), B and widths stand. Where classes are told apart, class
# numbers without the last axis will do as targets. Masks may be truth values, and those of one
# number a step may be given as lengths, one whole number for each sequence.
LENGTHS = ("T",)
INPUTS = {
    "x": ("T", "B", 3),
    "valid": ("T", "B"),
}
OUTPUTS = {
    "output": ("T", "B", 5),
}
TARGETS = {
    "output": ("T", "B", 5),
}
MASKS = ("valid",)
CLASSES = ("output",)
WEIGHTED = {}

# The losses of each output: their kinds with their weights; which steps they judge, and the mask
# that says so, if any; whether they are of the differences between output and target, which are
# in the same units then, and whether they are sums of squares.
LOSSES = {
    "output": {
        "kinds": {"cross_entropy": 1},
        "steps": "all",
        "mask": "valid",
        "differences": False,
        "squares": False,
    },
}

# Values outside the given steps, with their shapes: those before the first step in
# chronological order, or those after the last for what runs backward in time. Zero unless given.
# AFTER lists those after the last step, with the signal that they belong to.
INITIAL = {
    "state_forth": (1, "B", 4),
    "c_forth": (1, "B", 4),
    "state_back": (1, "B", 4),
    "c_back": (1, "B", 4),
    "state_forth2": (1, "B", 3),
    "c_forth2": (1, "B", 3),
    "state_back2": (1, "B", 3),
    "c_back2": (1, "B", 3),
}
AFTER = {
    "state_back": "state_back",
    "c_back": "c_back",
    "state_back2": "state_back2",
    "c_back2": "c_back2",
}

# Layers, with the parameters that stand together in each of their net inputs.
LAYERS = {
    "forth": (
        ("W_i_forth_x", "U_i_forth", "b_i_forth"),
        ("W_f_forth_x", "U_f_forth", "b_f_forth"),
        ("W_g_forth_x", "U_g_forth", "b_g_forth"),
        ("W_o_forth_x", "U_o_forth", "b_o_forth"),
    ),
    "back": (
        ("W_i_back_x", "U_i_back", "b_i_back"),
        ("W_f_back_x", "U_f_back", "b_f_back"),
        ("W_g_back_x", "U_g_back", "b_g_back"),
        ("W_o_back_x", "U_o_back", "b_o_back"),
    ),
    "forth2": (
        ("W_i_forth2_forth", "W_i_forth2_back", "U_i_forth2", "b_i_forth2"),
        ("W_f_forth2_forth", "W_f_forth2_back", "U_f_forth2", "b_f_forth2"),
        ("W_g_forth2_forth", "W_g_forth2_back", "U_g_forth2", "b_g_forth2"),
        ("W_o_forth2_forth", "W_o_forth2_back", "U_o_forth2", "b_o_forth2"),
    ),
    "back2": (
        ("W_i_back2_forth", "W_i_back2_back", "U_i_back2", "b_i_back2"),
        ("W_f_back2_forth", "W_f_back2_back", "U_f_back2", "b_f_back2"),
        ("W_g_back2_forth", "W_g_back2_back", "U_g_back2", "b_g_back2"),
        ("W_o_back2_forth", "W_o_back2_back", "U_o_back2", "b_o_back2"),
    ),
    "output": (
        ("W_output_forth2", "W_output_back2", "b_output"),
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
        "i_forth": arrays["i_forth"],
        "f_forth": arrays["f_forth"],
        "g_forth": arrays["g_forth"],
        "o_forth": arrays["o_forth"],
        "c_forth": arrays["c_forth"][1 : 1 + T],
        "forth": arrays["forth"],
        "i_back": arrays["i_back"],
        "f_back": arrays["f_back"],
        "g_back": arrays["g_back"],
        "o_back": arrays["o_back"],
        "c_back": arrays["c_back"][:T],
        "back": arrays["back"],
        "i_forth2": arrays["i_forth2"],
        "f_forth2": arrays["f_forth2"],
        "g_forth2": arrays["g_forth2"],
        "o_forth2": arrays["o_forth2"],
        "c_forth2": arrays["c_forth2"][1 : 1 + T],
        "forth2": arrays["forth2"],
        "i_back2": arrays["i_back2"],
        "f_back2": arrays["f_back2"],
        "g_back2": arrays["g_back2"],
        "o_back2": arrays["o_back2"],
        "c_back2": arrays["c_back2"][:T],
        "back2": arrays["back2"],
        "output": arrays["output"],
        "state_forth": arrays["state_forth"][1 : 1 + T],
        "state_back": arrays["state_back"][:T],
        "state_forth2": arrays["state_forth2"][1 : 1 + T],
        "state_back2": arrays["state_back2"][:T],
    }


def loss(parameters, inputs, targets, initial=None, weights=None):
    """The loss, a number:

    mean over steps and sequences, weighted by valid[t,b], of -sum(target_output*log(output)).
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
    valid = arrays["valid"]
    c_forth = arrays["c_forth"]
    c_back = arrays["c_back"]
    c_forth2 = arrays["c_forth2"]
    c_back2 = arrays["c_back2"]
    W_i_forth_x = arrays["W_i_forth_x"]
    U_i_forth = arrays["U_i_forth"]
    b_i_forth = arrays["b_i_forth"]
    W_f_forth_x = arrays["W_f_forth_x"]
    U_f_forth = arrays["U_f_forth"]
    b_f_forth = arrays["b_f_forth"]
    W_g_forth_x = arrays["W_g_forth_x"]
    U_g_forth = arrays["U_g_forth"]
    b_g_forth = arrays["b_g_forth"]
    W_o_forth_x = arrays["W_o_forth_x"]
    U_o_forth = arrays["U_o_forth"]
    b_o_forth = arrays["b_o_forth"]
    W_i_back_x = arrays["W_i_back_x"]
    U_i_back = arrays["U_i_back"]
    b_i_back = arrays["b_i_back"]
    W_f_back_x = arrays["W_f_back_x"]
    U_f_back = arrays["U_f_back"]
    b_f_back = arrays["b_f_back"]
    W_g_back_x = arrays["W_g_back_x"]
    U_g_back = arrays["U_g_back"]
    b_g_back = arrays["b_g_back"]
    W_o_back_x = arrays["W_o_back_x"]
    U_o_back = arrays["U_o_back"]
    b_o_back = arrays["b_o_back"]
    W_i_forth2_forth = arrays["W_i_forth2_forth"]
    W_i_forth2_back = arrays["W_i_forth2_back"]
    U_i_forth2 = arrays["U_i_forth2"]
    b_i_forth2 = arrays["b_i_forth2"]
    W_f_forth2_forth = arrays["W_f_forth2_forth"]
    W_f_forth2_back = arrays["W_f_forth2_back"]
    U_f_forth2 = arrays["U_f_forth2"]
    b_f_forth2 = arrays["b_f_forth2"]
    W_g_forth2_forth = arrays["W_g_forth2_forth"]
    W_g_forth2_back = arrays["W_g_forth2_back"]
    U_g_forth2 = arrays["U_g_forth2"]
    b_g_forth2 = arrays["b_g_forth2"]
    W_o_forth2_forth = arrays["W_o_forth2_forth"]
    W_o_forth2_back = arrays["W_o_forth2_back"]
    U_o_forth2 = arrays["U_o_forth2"]
    b_o_forth2 = arrays["b_o_forth2"]
    W_i_back2_forth = arrays["W_i_back2_forth"]
    W_i_back2_back = arrays["W_i_back2_back"]
    U_i_back2 = arrays["U_i_back2"]
    b_i_back2 = arrays["b_i_back2"]
    W_f_back2_forth = arrays["W_f_back2_forth"]
    W_f_back2_back = arrays["W_f_back2_back"]
    U_f_back2 = arrays["U_f_back2"]
    b_f_back2 = arrays["b_f_back2"]
    W_g_back2_forth = arrays["W_g_back2_forth"]
    W_g_back2_back = arrays["W_g_back2_back"]
    U_g_back2 = arrays["U_g_back2"]
    b_g_back2 = arrays["b_g_back2"]
    W_o_back2_forth = arrays["W_o_back2_forth"]
    W_o_back2_back = arrays["W_o_back2_back"]
    U_o_back2 = arrays["U_o_back2"]
    b_o_back2 = arrays["b_o_back2"]
    W_output_forth2 = arrays["W_output_forth2"]
    W_output_back2 = arrays["W_output_back2"]
    b_output = arrays["b_output"]
    state_forth = arrays["state_forth"]
    state_back = arrays["state_back"]
    state_forth2 = arrays["state_forth2"]
    state_back2 = arrays["state_back2"]

    U_back2 = np.concatenate((U_o_back2, U_f_back2, U_i_back2, U_g_back2))
    W_forth = np.concatenate(
        (
            W_o_back2_forth,
            W_f_back2_forth,
            W_i_back2_forth,
            W_g_back2_forth,
            W_o_forth2_forth,
            W_f_forth2_forth,
            W_i_forth2_forth,
            W_g_forth2_forth,
        ),
    )
    W_back = np.concatenate(
        (
            W_o_back2_back,
            W_f_back2_back,
            W_i_back2_back,
            W_g_back2_back,
            W_o_forth2_back,
            W_f_forth2_back,
            W_i_forth2_back,
            W_g_forth2_back,
        ),
    )
    b = np.concatenate(
        (
            b_o_back2,
            b_f_back2,
            b_i_back2,
            b_g_back2,
            b_o_forth2,
            b_f_forth2,
            b_i_forth2,
            b_g_forth2,
        ),
    )
    U_forth2 = np.concatenate((U_o_forth2, U_f_forth2, U_i_forth2, U_g_forth2))
    U_back = np.concatenate((U_o_back, U_f_back, U_i_back, U_g_back))
    W_x = np.concatenate(
        (
            W_o_back_x,
            W_f_back_x,
            W_i_back_x,
            W_g_back_x,
            W_o_forth_x,
            W_f_forth_x,
            W_i_forth_x,
            W_g_forth_x,
        ),
    )
    stacked_b_o_back = np.concatenate(
        (b_o_back, b_f_back, b_i_back, b_g_back, b_o_forth, b_f_forth, b_i_forth, b_g_forth)
    )
    U_forth = np.concatenate((U_o_forth, U_f_forth, U_i_forth, U_g_forth))
    W_output = np.concatenate((W_output_forth2, W_output_back2), axis=1)
    c_forth_per_c_forth = 1 - valid  # (9)
    state_forth_per_state_forth = 1 - valid  # (10)
    stacked_n_o_back = (  # (1) (3) (5) (7) (11) (13) (15) (17) ij,tbj->tbi
        (_rows(x) @ W_x.T).reshape(-1, B, 32)
    )
    g_forth = stacked_n_o_back[:, :, 28:32]
    n_g_forth = g_forth  # takes its place, step by step
    f_forth = stacked_n_o_back[:, :, 20:24]
    i_forth = stacked_n_o_back[:, :, 24:28]
    o_forth = stacked_n_o_back[:, :, 16:20]
    g_back = stacked_n_o_back[:, :, 12:16]
    n_g_back = g_back  # takes its place, step by step
    f_back = stacked_n_o_back[:, :, 4:8]
    i_back = stacked_n_o_back[:, :, 8:12]
    o_back = stacked_n_o_back[:, :, :4]
    stacked_n_o_back += stacked_b_o_back  # (1) (3) (5) (7) (11) (13) (15) (17)
    tanh_c_forth = np.empty((T, B, 4), dtype)
    for t in range(T):
        state_forth_t_minus_1 = state_forth[t]
        c_forth_t_minus_1 = c_forth[t]
        valid_t = valid[t]
        stacked_n_o_back_t = stacked_n_o_back[t]
        stacked_n_o_back_t[:, 16:] += (  # (1) (3) (5) (7) ij,bj->bi
            state_forth_t_minus_1 @ U_forth.T
        )
        g_forth_t = np.tanh(n_g_forth[t], out=g_forth[t])  # (6)
        _sigmoid(stacked_n_o_back_t[:, 16:28], out=stacked_n_o_back_t[:, 16:28])  # (2) (4) (8)
        c_forth_t = np.multiply(c_forth_t_minus_1, f_forth[t], out=c_forth[t + 1])  # (9)
        c_forth_t *= valid_t[:, None]  # (9)
        c_forth_t += g_forth_t * i_forth[t] * valid_t[:, None]  # (9)
        c_forth_t += c_forth_t_minus_1 * c_forth_per_c_forth[t][:, None]  # (9)
        tanh_c_forth_t = np.tanh(c_forth_t, out=tanh_c_forth[t])  # (10)
        state_forth_t = np.multiply(o_forth[t], tanh_c_forth_t, out=state_forth[t + 1])  # (10)
        state_forth_t *= valid_t[:, None]  # (10)
        state_forth_t += state_forth_t_minus_1 * state_forth_per_state_forth[t][:, None]  # (10)
    c_back_per_c_back = 1 - valid  # (19)
    state_back_per_state_back = 1 - valid  # (20)
    tanh_c_back = np.empty((T, B, 4), dtype)
    for t in range(T - 1, -1, -1):
        state_back_t_plus_1 = state_back[t + 1]
        c_back_t_plus_1 = c_back[t + 1]
        valid_t = valid[t]
        stacked_n_o_back_t = stacked_n_o_back[t]
        stacked_n_o_back_t[:, :16] += (  # (11) (13) (15) (17) ij,bj->bi
            state_back_t_plus_1 @ U_back.T
        )
        g_back_t = np.tanh(n_g_back[t], out=g_back[t])  # (16)
        _sigmoid(stacked_n_o_back_t[:, :12], out=stacked_n_o_back_t[:, :12])  # (12) (14) (18)
        c_back_t = np.multiply(c_back_t_plus_1, f_back[t], out=c_back[t])  # (19)
        c_back_t *= valid_t[:, None]  # (19)
        c_back_t += g_back_t * i_back[t] * valid_t[:, None]  # (19)
        c_back_t += c_back_t_plus_1 * c_back_per_c_back[t][:, None]  # (19)
        tanh_c_back_t = np.tanh(c_back_t, out=tanh_c_back[t])  # (20)
        state_back_t = np.multiply(o_back[t], tanh_c_back_t, out=state_back[t])  # (20)
        state_back_t *= valid_t[:, None]  # (20)
        state_back_t += state_back_t_plus_1 * state_back_per_state_back[t][:, None]  # (20)
    stacked_forth = np.empty((T, B, 8), dtype)
    back = stacked_forth[:, :, 4:8]
    forth = stacked_forth[:, :, :4]
    np.multiply(state_back[:T], valid[:, :, None], out=back[...])  # (45)
    np.multiply(state_forth[1:], valid[:, :, None], out=forth[...])  # (44)
    c_forth2_per_c_forth2 = 1 - valid  # (29)
    state_forth2_per_state_forth2 = 1 - valid  # (30)
    n = (  # (21) (23) (25) (27) (31) (33) (35) (37) ij,tbj->tbi
        (_rows(forth) @ W_forth.T).reshape(-1, B, 24)
    )
    g_forth2 = n[:, :, 21:24]
    n_g_forth2 = g_forth2  # takes its place, step by step
    f_forth2 = n[:, :, 15:18]
    i_forth2 = n[:, :, 18:21]
    o_forth2 = n[:, :, 12:15]
    g_back2 = n[:, :, 9:12]
    n_g_back2 = g_back2  # takes its place, step by step
    f_back2 = n[:, :, 3:6]
    i_back2 = n[:, :, 6:9]
    o_back2 = n[:, :, :3]
    n += (  # (21) (23) (25) (27) (31) (33) (35) (37) ij,tbj->tbi
        (_rows(back) @ W_back.T).reshape(-1, B, 24)
    )
    n += b  # (21) (23) (25) (27) (31) (33) (35) (37)
    tanh_c_forth2 = np.empty((T, B, 3), dtype)
    for t in range(T):
        state_forth2_t_minus_1 = state_forth2[t]
        c_forth2_t_minus_1 = c_forth2[t]
        valid_t = valid[t]
        n_t = n[t]
        n_t[:, 12:] += state_forth2_t_minus_1 @ U_forth2.T  # (21) (23) (25) (27) ij,bj->bi
        g_forth2_t = np.tanh(n_g_forth2[t], out=g_forth2[t])  # (26)
        _sigmoid(n_t[:, 12:21], out=n_t[:, 12:21])  # (22) (24) (28)
        c_forth2_t = np.multiply(c_forth2_t_minus_1, f_forth2[t], out=c_forth2[t + 1])  # (29)
        c_forth2_t *= valid_t[:, None]  # (29)
        c_forth2_t += g_forth2_t * i_forth2[t] * valid_t[:, None]  # (29)
        c_forth2_t += c_forth2_t_minus_1 * c_forth2_per_c_forth2[t][:, None]  # (29)
        tanh_c_forth2_t = np.tanh(c_forth2_t, out=tanh_c_forth2[t])  # (30)
        state_forth2_t = np.multiply(o_forth2[t], tanh_c_forth2_t, out=state_forth2[t + 1])  # (30)
        state_forth2_t *= valid_t[:, None]  # (30)
        state_forth2_t += (  # (30)
            state_forth2_t_minus_1 * state_forth2_per_state_forth2[t][:, None]
        )
    c_back2_per_c_back2 = 1 - valid  # (39)
    state_back2_per_state_back2 = 1 - valid  # (40)
    tanh_c_back2 = np.empty((T, B, 3), dtype)
    for t in range(T - 1, -1, -1):
        state_back2_t_plus_1 = state_back2[t + 1]
        c_back2_t_plus_1 = c_back2[t + 1]
        valid_t = valid[t]
        n_t = n[t]
        n_t[:, :12] += state_back2_t_plus_1 @ U_back2.T  # (31) (33) (35) (37) ij,bj->bi
        g_back2_t = np.tanh(n_g_back2[t], out=g_back2[t])  # (36)
        _sigmoid(n_t[:, :9], out=n_t[:, :9])  # (32) (34) (38)
        c_back2_t = np.multiply(c_back2_t_plus_1, f_back2[t], out=c_back2[t])  # (39)
        c_back2_t *= valid_t[:, None]  # (39)
        c_back2_t += g_back2_t * i_back2[t] * valid_t[:, None]  # (39)
        c_back2_t += c_back2_t_plus_1 * c_back2_per_c_back2[t][:, None]  # (39)
        tanh_c_back2_t = np.tanh(c_back2_t, out=tanh_c_back2[t])  # (40)
        state_back2_t = np.multiply(o_back2[t], tanh_c_back2_t, out=state_back2[t])  # (40)
        state_back2_t *= valid_t[:, None]  # (40)
        state_back2_t += state_back2_t_plus_1 * state_back2_per_state_back2[t][:, None]  # (40)
    stacked_forth2 = np.empty((T, B, 6), dtype)
    back2 = stacked_forth2[:, :, 3:6]
    forth2 = stacked_forth2[:, :, :3]
    np.multiply(state_back2[:T], valid[:, :, None], out=back2[...])  # (47)
    np.multiply(state_forth2[1:], valid[:, :, None], out=forth2[...])  # (46)
    n_output = (_rows(stacked_forth2) @ W_output.T).reshape(-1, B, 5)  # (41) ij,tbj->tbi
    n_output += b_output  # (41)
    logsumexp_output = _logsumexp(n_output, axis=2)  # (42)
    output = np.exp(n_output - logsumexp_output[:, :, None])  # (43)
    arrays["i_forth"] = i_forth
    arrays["f_forth"] = f_forth
    arrays["g_forth"] = g_forth
    arrays["o_forth"] = o_forth
    arrays["tanh_c_forth"] = tanh_c_forth
    arrays["i_back"] = i_back
    arrays["f_back"] = f_back
    arrays["g_back"] = g_back
    arrays["o_back"] = o_back
    arrays["tanh_c_back"] = tanh_c_back
    arrays["i_forth2"] = i_forth2
    arrays["f_forth2"] = f_forth2
    arrays["g_forth2"] = g_forth2
    arrays["o_forth2"] = o_forth2
    arrays["tanh_c_forth2"] = tanh_c_forth2
    arrays["i_back2"] = i_back2
    arrays["f_back2"] = f_back2
    arrays["g_back2"] = g_back2
    arrays["o_back2"] = o_back2
    arrays["tanh_c_back2"] = tanh_c_back2
    arrays["n_output"] = n_output
    arrays["logsumexp_output"] = logsumexp_output
    arrays["output"] = output
    arrays["forth"] = forth
    arrays["back"] = back
    arrays["forth2"] = forth2
    arrays["back2"] = back2
    arrays["stacked_forth2"] = stacked_forth2
    arrays["stacked_forth"] = stacked_forth


def _loss(arrays, T, B, dtype):
    """The losses, and what only they need."""
    valid = arrays["valid"]
    n_output = arrays["n_output"]
    logsumexp_output = arrays["logsumexp_output"]
    target_output = arrays["target_output"]

    total_weight_output = valid.sum()  # (48) tb->
    loss = (  # (49) tb->, tbi->
        1 / total_weight_output * (logsumexp_output * valid).sum()
        - 1 / total_weight_output * (n_output * target_output * valid[:, :, None]).sum()
    )
    arrays["total_weight_output"] = total_weight_output
    arrays["loss"] = loss


def _backward(arrays, T, B, dtype):
    """Adjoints, and the parameters' gradients."""
    x = arrays["x"]
    valid = arrays["valid"]
    i_forth = arrays["i_forth"]
    f_forth = arrays["f_forth"]
    g_forth = arrays["g_forth"]
    o_forth = arrays["o_forth"]
    c_forth = arrays["c_forth"]
    i_back = arrays["i_back"]
    f_back = arrays["f_back"]
    g_back = arrays["g_back"]
    o_back = arrays["o_back"]
    c_back = arrays["c_back"]
    i_forth2 = arrays["i_forth2"]
    f_forth2 = arrays["f_forth2"]
    g_forth2 = arrays["g_forth2"]
    o_forth2 = arrays["o_forth2"]
    c_forth2 = arrays["c_forth2"]
    i_back2 = arrays["i_back2"]
    f_back2 = arrays["f_back2"]
    g_back2 = arrays["g_back2"]
    o_back2 = arrays["o_back2"]
    c_back2 = arrays["c_back2"]
    output = arrays["output"]
    U_i_forth = arrays["U_i_forth"]
    U_f_forth = arrays["U_f_forth"]
    U_g_forth = arrays["U_g_forth"]
    U_o_forth = arrays["U_o_forth"]
    U_i_back = arrays["U_i_back"]
    U_f_back = arrays["U_f_back"]
    U_g_back = arrays["U_g_back"]
    U_o_back = arrays["U_o_back"]
    W_i_forth2_forth = arrays["W_i_forth2_forth"]
    W_i_forth2_back = arrays["W_i_forth2_back"]
    U_i_forth2 = arrays["U_i_forth2"]
    W_f_forth2_forth = arrays["W_f_forth2_forth"]
    W_f_forth2_back = arrays["W_f_forth2_back"]
    U_f_forth2 = arrays["U_f_forth2"]
    W_g_forth2_forth = arrays["W_g_forth2_forth"]
    W_g_forth2_back = arrays["W_g_forth2_back"]
    U_g_forth2 = arrays["U_g_forth2"]
    W_o_forth2_forth = arrays["W_o_forth2_forth"]
    W_o_forth2_back = arrays["W_o_forth2_back"]
    U_o_forth2 = arrays["U_o_forth2"]
    W_i_back2_forth = arrays["W_i_back2_forth"]
    W_i_back2_back = arrays["W_i_back2_back"]
    U_i_back2 = arrays["U_i_back2"]
    W_f_back2_forth = arrays["W_f_back2_forth"]
    W_f_back2_back = arrays["W_f_back2_back"]
    U_f_back2 = arrays["U_f_back2"]
    W_g_back2_forth = arrays["W_g_back2_forth"]
    W_g_back2_back = arrays["W_g_back2_back"]
    U_g_back2 = arrays["U_g_back2"]
    W_o_back2_forth = arrays["W_o_back2_forth"]
    W_o_back2_back = arrays["W_o_back2_back"]
    U_o_back2 = arrays["U_o_back2"]
    W_output_forth2 = arrays["W_output_forth2"]
    W_output_back2 = arrays["W_output_back2"]
    state_forth = arrays["state_forth"]
    state_back = arrays["state_back"]
    state_forth2 = arrays["state_forth2"]
    state_back2 = arrays["state_back2"]
    target_output = arrays["target_output"]
    total_weight_output = arrays["total_weight_output"]
    tanh_c_forth = arrays["tanh_c_forth"]
    tanh_c_back = arrays["tanh_c_back"]
    tanh_c_forth2 = arrays["tanh_c_forth2"]
    tanh_c_back2 = arrays["tanh_c_back2"]
    stacked_forth2 = arrays["stacked_forth2"]
    stacked_forth = arrays["stacked_forth"]

    U_back2 = np.concatenate((U_o_back2, U_f_back2, U_i_back2, U_g_back2))
    W_forth = np.concatenate(
        (
            W_o_back2_forth,
            W_f_back2_forth,
            W_i_back2_forth,
            W_g_back2_forth,
            W_o_forth2_forth,
            W_f_forth2_forth,
            W_i_forth2_forth,
            W_g_forth2_forth,
        ),
    )
    W_back = np.concatenate(
        (
            W_o_back2_back,
            W_f_back2_back,
            W_i_back2_back,
            W_g_back2_back,
            W_o_forth2_back,
            W_f_forth2_back,
            W_i_forth2_back,
            W_g_forth2_back,
        ),
    )
    U_forth2 = np.concatenate((U_o_forth2, U_f_forth2, U_i_forth2, U_g_forth2))
    U_back = np.concatenate((U_o_back, U_f_back, U_i_back, U_g_back))
    U_forth = np.concatenate((U_o_forth, U_f_forth, U_i_forth, U_g_forth))
    W_output = np.concatenate((W_output_forth2, W_output_back2), axis=1)
    d_n_output = 1 / total_weight_output * valid[:, :, None] * (output - target_output)  # (54)
    d = (_rows(d_n_output) @ W_output).reshape(-1, B, 6)  # (50) (51) ij,tbj->tbi
    d_c_back2_per_d_state_back2 = o_back2 * valid[:, :, None] * (1 - tanh_c_back2 ** 2)  # (56)
    d_n_f_back2_per_d_c_back2 = (  # (61) (62)
        c_back2[1:] * valid[:, :, None] * f_back2 * (1 - f_back2)
    )
    d_n_g_back2_per_d_c_back2 = i_back2 * valid[:, :, None] * (1 - g_back2 ** 2)  # (59) (60)
    d_n_i_back2_per_d_c_back2 = g_back2 * valid[:, :, None] * i_back2 * (1 - i_back2)  # (63) (64)
    d_n_o_back2_per_d_state_back2 = (  # (57) (58)
        tanh_c_back2 * valid[:, :, None] * o_back2 * (1 - o_back2)
    )
    d_state = d * valid[:, :, None]  # (55) (65)
    d_state_back2 = d_state[:, :, 3:6]
    d_state_forth2 = d_state[:, :, :3]
    d_c_back2 = np.empty((T, B, 3), dtype)
    d_n = np.empty((T, B, 56), dtype)
    d_n_f_back2 = d_n[:, :, 3:6]
    d_n_g_back2 = d_n[:, :, 9:12]
    d_n_i_back2 = d_n[:, :, 6:9]
    d_n_o_back2 = d_n[:, :, :3]
    d_n_f_forth2 = d_n[:, :, 15:18]
    d_n_g_forth2 = d_n[:, :, 21:24]
    d_n_i_forth2 = d_n[:, :, 18:21]
    d_n_o_forth2 = d_n[:, :, 12:15]
    d_n_f_back = d_n[:, :, 28:32]
    d_n_g_back = d_n[:, :, 36:40]
    d_n_i_back = d_n[:, :, 32:36]
    d_n_o_back = d_n[:, :, 24:28]
    d_n_f_forth = d_n[:, :, 44:48]
    d_n_g_forth = d_n[:, :, 52:56]
    d_n_i_forth = d_n[:, :, 48:52]
    d_n_o_forth = d_n[:, :, 40:44]
    for t in range(T):
        d_state_back2_t = d_state_back2[t]
        if t >= 1:
            d_state_back2_t += d_state_back2[t - 1] * (1 - valid[t - 1][:, None])  # (55)
            d_state_back2_t += d_n[t - 1, :, :12] @ U_back2  # (55) ij,bj->bi
        d_c_back2_t = np.multiply(  # (56)
            d_state_back2_t, d_c_back2_per_d_state_back2[t], out=d_c_back2[t]
        )
        if t >= 1:
            d_c_back2_t += (  # (56)
                d_c_back2[t - 1]
                * (1 + f_back2[t - 1] * valid[t - 1][:, None] - valid[t - 1][:, None])
            )
        d_n_f_back2_t = np.multiply(  # (61) (62)
            d_c_back2_t, d_n_f_back2_per_d_c_back2[t], out=d_n_f_back2[t]
        )
        d_n_g_back2_t = np.multiply(  # (59) (60)
            d_c_back2_t, d_n_g_back2_per_d_c_back2[t], out=d_n_g_back2[t]
        )
        d_n_i_back2_t = np.multiply(  # (63) (64)
            d_c_back2_t, d_n_i_back2_per_d_c_back2[t], out=d_n_i_back2[t]
        )
        d_n_o_back2_t = np.multiply(  # (57) (58)
            d_state_back2_t, d_n_o_back2_per_d_state_back2[t], out=d_n_o_back2[t]
        )
    d_c_forth2_per_d_state_forth2 = o_forth2 * valid[:, :, None] * (1 - tanh_c_forth2 ** 2)  # (66)
    d_n_f_forth2_per_d_c_forth2 = (  # (71) (72)
        c_forth2[:T] * valid[:, :, None] * f_forth2 * (1 - f_forth2)
    )
    d_n_g_forth2_per_d_c_forth2 = i_forth2 * valid[:, :, None] * (1 - g_forth2 ** 2)  # (69) (70)
    d_n_i_forth2_per_d_c_forth2 = (  # (73) (74)
        g_forth2 * valid[:, :, None] * i_forth2 * (1 - i_forth2)
    )
    d_n_o_forth2_per_d_state_forth2 = (  # (67) (68)
        tanh_c_forth2 * valid[:, :, None] * o_forth2 * (1 - o_forth2)
    )
    d_c_forth2 = np.empty((T, B, 3), dtype)
    for t in range(T - 1, -1, -1):
        d_state_forth2_t = d_state_forth2[t]
        if t < T - 1:
            d_state_forth2_t += d_state_forth2[t + 1] * (1 - valid[t + 1][:, None])  # (65)
            d_state_forth2_t += d_n[t + 1, :, 12:24] @ U_forth2  # (65) ij,bj->bi
        d_c_forth2_t = np.multiply(  # (66)
            d_state_forth2_t, d_c_forth2_per_d_state_forth2[t], out=d_c_forth2[t]
        )
        if t < T - 1:
            d_c_forth2_t += (  # (66)
                d_c_forth2[t + 1]
                * (1 + f_forth2[t + 1] * valid[t + 1][:, None] - valid[t + 1][:, None])
            )
        d_n_f_forth2_t = np.multiply(  # (71) (72)
            d_c_forth2_t, d_n_f_forth2_per_d_c_forth2[t], out=d_n_f_forth2[t]
        )
        d_n_g_forth2_t = np.multiply(  # (69) (70)
            d_c_forth2_t, d_n_g_forth2_per_d_c_forth2[t], out=d_n_g_forth2[t]
        )
        d_n_i_forth2_t = np.multiply(  # (73) (74)
            d_c_forth2_t, d_n_i_forth2_per_d_c_forth2[t], out=d_n_i_forth2[t]
        )
        d_n_o_forth2_t = np.multiply(  # (67) (68)
            d_state_forth2_t, d_n_o_forth2_per_d_state_forth2[t], out=d_n_o_forth2[t]
        )
    d_back = (_rows(d_n[:, :, :24]) @ W_back).reshape(-1, B, 4)  # (52) ij,tbj->tbi
    d_forth = (_rows(d_n[:, :, :24]) @ W_forth).reshape(-1, B, 4)  # (53) ij,tbj->tbi
    d_state_back = d_back * valid[:, :, None]  # (75)
    d_c_back_per_d_state_back = o_back * valid[:, :, None] * (1 - tanh_c_back ** 2)  # (76)
    d_n_f_back_per_d_c_back = c_back[1:] * valid[:, :, None] * f_back * (1 - f_back)  # (81) (82)
    d_n_g_back_per_d_c_back = i_back * valid[:, :, None] * (1 - g_back ** 2)  # (79) (80)
    d_n_i_back_per_d_c_back = g_back * valid[:, :, None] * i_back * (1 - i_back)  # (83) (84)
    d_n_o_back_per_d_state_back = (  # (77) (78)
        tanh_c_back * valid[:, :, None] * o_back * (1 - o_back)
    )
    d_c_back = np.empty((T, B, 4), dtype)
    for t in range(T):
        d_state_back_t = d_state_back[t]
        if t >= 1:
            d_state_back_t += d_state_back[t - 1] * (1 - valid[t - 1][:, None])  # (75)
            d_state_back_t += d_n[t - 1, :, 24:40] @ U_back  # (75) ij,bj->bi
        d_c_back_t = np.multiply(  # (76)
            d_state_back_t, d_c_back_per_d_state_back[t], out=d_c_back[t]
        )
        if t >= 1:
            d_c_back_t += (  # (76)
                d_c_back[t - 1]
                * (1 + f_back[t - 1] * valid[t - 1][:, None] - valid[t - 1][:, None])
            )
        d_n_f_back_t = np.multiply(  # (81) (82)
            d_c_back_t, d_n_f_back_per_d_c_back[t], out=d_n_f_back[t]
        )
        d_n_g_back_t = np.multiply(  # (79) (80)
            d_c_back_t, d_n_g_back_per_d_c_back[t], out=d_n_g_back[t]
        )
        d_n_i_back_t = np.multiply(  # (83) (84)
            d_c_back_t, d_n_i_back_per_d_c_back[t], out=d_n_i_back[t]
        )
        d_n_o_back_t = np.multiply(  # (77) (78)
            d_state_back_t, d_n_o_back_per_d_state_back[t], out=d_n_o_back[t]
        )
    d_state_forth = d_forth * valid[:, :, None]  # (85)
    d_c_forth_per_d_state_forth = o_forth * valid[:, :, None] * (1 - tanh_c_forth ** 2)  # (86)
    d_n_f_forth_per_d_c_forth = (  # (91) (92)
        c_forth[:T] * valid[:, :, None] * f_forth * (1 - f_forth)
    )
    d_n_g_forth_per_d_c_forth = i_forth * valid[:, :, None] * (1 - g_forth ** 2)  # (89) (90)
    d_n_i_forth_per_d_c_forth = g_forth * valid[:, :, None] * i_forth * (1 - i_forth)  # (93) (94)
    d_n_o_forth_per_d_state_forth = (  # (87) (88)
        tanh_c_forth * valid[:, :, None] * o_forth * (1 - o_forth)
    )
    d_c_forth = np.empty((T, B, 4), dtype)
    for t in range(T - 1, -1, -1):
        d_state_forth_t = d_state_forth[t]
        if t < T - 1:
            d_state_forth_t += d_state_forth[t + 1] * (1 - valid[t + 1][:, None])  # (85)
            d_state_forth_t += d_n[t + 1, :, 40:] @ U_forth  # (85) ij,bj->bi
        d_c_forth_t = np.multiply(  # (86)
            d_state_forth_t, d_c_forth_per_d_state_forth[t], out=d_c_forth[t]
        )
        if t < T - 1:
            d_c_forth_t += (  # (86)
                d_c_forth[t + 1]
                * (1 + f_forth[t + 1] * valid[t + 1][:, None] - valid[t + 1][:, None])
            )
        d_n_f_forth_t = np.multiply(  # (91) (92)
            d_c_forth_t, d_n_f_forth_per_d_c_forth[t], out=d_n_f_forth[t]
        )
        d_n_g_forth_t = np.multiply(  # (89) (90)
            d_c_forth_t, d_n_g_forth_per_d_c_forth[t], out=d_n_g_forth[t]
        )
        d_n_i_forth_t = np.multiply(  # (93) (94)
            d_c_forth_t, d_n_i_forth_per_d_c_forth[t], out=d_n_i_forth[t]
        )
        d_n_o_forth_t = np.multiply(  # (87) (88)
            d_state_forth_t, d_n_o_forth_per_d_state_forth[t], out=d_n_o_forth[t]
        )
    d_U_forth = (  # (97) (100) (103) (106) tbi,tbj->ij
        _rows(d_n[:, :, 40:]).T @ _rows(state_forth[:T])
    )
    d_U_i_forth = d_U_forth[8:12]
    d_U_f_forth = d_U_forth[4:8]
    d_U_g_forth = d_U_forth[12:16]
    d_U_o_forth = d_U_forth[:4]
    d_W_x = (  # (96) (99) (102) (105) (108) (111) (114) (117) tbi,tbj->ij
        _rows(d_n[:, :, 24:]).T @ _rows(x)
    )
    d_W_i_forth_x = d_W_x[24:28]
    d_W_f_forth_x = d_W_x[20:24]
    d_W_g_forth_x = d_W_x[28:32]
    d_W_o_forth_x = d_W_x[16:20]
    d_W_i_back_x = d_W_x[8:12]
    d_W_f_back_x = d_W_x[4:8]
    d_W_g_back_x = d_W_x[12:16]
    d_W_o_back_x = d_W_x[:4]
    d_U_back = (  # (109) (112) (115) (118) tbi,tbj->ij
        _rows(d_n[:, :, 24:40]).T @ _rows(state_back[1:])
    )
    d_U_i_back = d_U_back[8:12]
    d_U_f_back = d_U_back[4:8]
    d_U_g_back = d_U_back[12:16]
    d_U_o_back = d_U_back[:4]
    d_W_i_forth2 = _rows(d_n_i_forth2).T @ _rows(stacked_forth)  # (120) (121) tbi,tbj->ij
    d_W_i_forth2_forth = d_W_i_forth2[:, :4]
    d_W_i_forth2_back = d_W_i_forth2[:, 4:8]
    d_W_f_forth2 = _rows(d_n_f_forth2).T @ _rows(stacked_forth)  # (124) (125) tbi,tbj->ij
    d_W_f_forth2_forth = d_W_f_forth2[:, :4]
    d_W_f_forth2_back = d_W_f_forth2[:, 4:8]
    d_W_g_forth2 = _rows(d_n_g_forth2).T @ _rows(stacked_forth)  # (128) (129) tbi,tbj->ij
    d_W_g_forth2_forth = d_W_g_forth2[:, :4]
    d_W_g_forth2_back = d_W_g_forth2[:, 4:8]
    d_W_o_forth2 = _rows(d_n_o_forth2).T @ _rows(stacked_forth)  # (132) (133) tbi,tbj->ij
    d_W_o_forth2_forth = d_W_o_forth2[:, :4]
    d_W_o_forth2_back = d_W_o_forth2[:, 4:8]
    d_U_forth2 = (  # (122) (126) (130) (134) tbi,tbj->ij
        _rows(d_n[:, :, 12:24]).T @ _rows(state_forth2[:T])
    )
    d_U_i_forth2 = d_U_forth2[6:9]
    d_U_f_forth2 = d_U_forth2[3:6]
    d_U_g_forth2 = d_U_forth2[9:12]
    d_U_o_forth2 = d_U_forth2[:3]
    d_W_i_back2 = _rows(d_n_i_back2).T @ _rows(stacked_forth)  # (136) (137) tbi,tbj->ij
    d_W_i_back2_forth = d_W_i_back2[:, :4]
    d_W_i_back2_back = d_W_i_back2[:, 4:8]
    d_W_f_back2 = _rows(d_n_f_back2).T @ _rows(stacked_forth)  # (140) (141) tbi,tbj->ij
    d_W_f_back2_forth = d_W_f_back2[:, :4]
    d_W_f_back2_back = d_W_f_back2[:, 4:8]
    d_W_g_back2 = _rows(d_n_g_back2).T @ _rows(stacked_forth)  # (144) (145) tbi,tbj->ij
    d_W_g_back2_forth = d_W_g_back2[:, :4]
    d_W_g_back2_back = d_W_g_back2[:, 4:8]
    d_W_o_back2 = _rows(d_n_o_back2).T @ _rows(stacked_forth)  # (148) (149) tbi,tbj->ij
    d_W_o_back2_forth = d_W_o_back2[:, :4]
    d_W_o_back2_back = d_W_o_back2[:, 4:8]
    d_U_back2 = (  # (138) (142) (146) (150) tbi,tbj->ij
        _rows(d_n[:, :, :12]).T @ _rows(state_back2[1:])
    )
    d_U_i_back2 = d_U_back2[6:9]
    d_U_f_back2 = d_U_back2[3:6]
    d_U_g_back2 = d_U_back2[9:12]
    d_U_o_back2 = d_U_back2[:3]
    d_b = d_n.sum(  # (98) (101) (104) (107) (110) (113) (116) (119) (123) (127) (131) (135) (139)
        # (143) (147) (151) tbi->i
        axis=(0, 1)
    )
    d_b_i_forth = d_b[48:52]
    d_b_f_forth = d_b[44:48]
    d_b_g_forth = d_b[52:56]
    d_b_o_forth = d_b[40:44]
    d_b_i_back = d_b[32:36]
    d_b_f_back = d_b[28:32]
    d_b_g_back = d_b[36:40]
    d_b_o_back = d_b[24:28]
    d_b_i_forth2 = d_b[18:21]
    d_b_f_forth2 = d_b[15:18]
    d_b_g_forth2 = d_b[21:24]
    d_b_o_forth2 = d_b[12:15]
    d_b_i_back2 = d_b[6:9]
    d_b_f_back2 = d_b[3:6]
    d_b_g_back2 = d_b[9:12]
    d_b_o_back2 = d_b[:3]
    d_W_output = _rows(d_n_output).T @ _rows(stacked_forth2)  # (152) (153) tbi,tbj->ij
    d_W_output_forth2 = d_W_output[:, :3]
    d_W_output_back2 = d_W_output[:, 3:6]
    d_b_output = d_n_output.sum(axis=(0, 1))  # (154) tbi->i
    arrays["d_state_back2"] = d_state_back2
    arrays["d_c_back2"] = d_c_back2
    arrays["d_state_forth2"] = d_state_forth2
    arrays["d_c_forth2"] = d_c_forth2
    arrays["d_state_back"] = d_state_back
    arrays["d_c_back"] = d_c_back
    arrays["d_state_forth"] = d_state_forth
    arrays["d_c_forth"] = d_c_forth
    arrays["d_W_i_forth_x"] = d_W_i_forth_x
    arrays["d_U_i_forth"] = d_U_i_forth
    arrays["d_b_i_forth"] = d_b_i_forth
    arrays["d_W_f_forth_x"] = d_W_f_forth_x
    arrays["d_U_f_forth"] = d_U_f_forth
    arrays["d_b_f_forth"] = d_b_f_forth
    arrays["d_W_g_forth_x"] = d_W_g_forth_x
    arrays["d_U_g_forth"] = d_U_g_forth
    arrays["d_b_g_forth"] = d_b_g_forth
    arrays["d_W_o_forth_x"] = d_W_o_forth_x
    arrays["d_U_o_forth"] = d_U_o_forth
    arrays["d_b_o_forth"] = d_b_o_forth
    arrays["d_W_i_back_x"] = d_W_i_back_x
    arrays["d_U_i_back"] = d_U_i_back
    arrays["d_b_i_back"] = d_b_i_back
    arrays["d_W_f_back_x"] = d_W_f_back_x
    arrays["d_U_f_back"] = d_U_f_back
    arrays["d_b_f_back"] = d_b_f_back
    arrays["d_W_g_back_x"] = d_W_g_back_x
    arrays["d_U_g_back"] = d_U_g_back
    arrays["d_b_g_back"] = d_b_g_back
    arrays["d_W_o_back_x"] = d_W_o_back_x
    arrays["d_U_o_back"] = d_U_o_back
    arrays["d_b_o_back"] = d_b_o_back
    arrays["d_W_i_forth2_forth"] = d_W_i_forth2_forth
    arrays["d_W_i_forth2_back"] = d_W_i_forth2_back
    arrays["d_U_i_forth2"] = d_U_i_forth2
    arrays["d_b_i_forth2"] = d_b_i_forth2
    arrays["d_W_f_forth2_forth"] = d_W_f_forth2_forth
    arrays["d_W_f_forth2_back"] = d_W_f_forth2_back
    arrays["d_U_f_forth2"] = d_U_f_forth2
    arrays["d_b_f_forth2"] = d_b_f_forth2
    arrays["d_W_g_forth2_forth"] = d_W_g_forth2_forth
    arrays["d_W_g_forth2_back"] = d_W_g_forth2_back
    arrays["d_U_g_forth2"] = d_U_g_forth2
    arrays["d_b_g_forth2"] = d_b_g_forth2
    arrays["d_W_o_forth2_forth"] = d_W_o_forth2_forth
    arrays["d_W_o_forth2_back"] = d_W_o_forth2_back
    arrays["d_U_o_forth2"] = d_U_o_forth2
    arrays["d_b_o_forth2"] = d_b_o_forth2
    arrays["d_W_i_back2_forth"] = d_W_i_back2_forth
    arrays["d_W_i_back2_back"] = d_W_i_back2_back
    arrays["d_U_i_back2"] = d_U_i_back2
    arrays["d_b_i_back2"] = d_b_i_back2
    arrays["d_W_f_back2_forth"] = d_W_f_back2_forth
    arrays["d_W_f_back2_back"] = d_W_f_back2_back
    arrays["d_U_f_back2"] = d_U_f_back2
    arrays["d_b_f_back2"] = d_b_f_back2
    arrays["d_W_g_back2_forth"] = d_W_g_back2_forth
    arrays["d_W_g_back2_back"] = d_W_g_back2_back
    arrays["d_U_g_back2"] = d_U_g_back2
    arrays["d_b_g_back2"] = d_b_g_back2
    arrays["d_W_o_back2_forth"] = d_W_o_back2_forth
    arrays["d_W_o_back2_back"] = d_W_o_back2_back
    arrays["d_U_o_back2"] = d_U_o_back2
    arrays["d_b_o_back2"] = d_b_o_back2
    arrays["d_W_output_forth2"] = d_W_output_forth2
    arrays["d_W_output_back2"] = d_W_output_back2
    arrays["d_b_output"] = d_b_output
    arrays["d_n"] = d_n


def _input_gradients(arrays, T, B, dtype):
    """The gradients of the inputs."""
    W_i_forth_x = arrays["W_i_forth_x"]
    W_f_forth_x = arrays["W_f_forth_x"]
    W_g_forth_x = arrays["W_g_forth_x"]
    W_o_forth_x = arrays["W_o_forth_x"]
    W_i_back_x = arrays["W_i_back_x"]
    W_f_back_x = arrays["W_f_back_x"]
    W_g_back_x = arrays["W_g_back_x"]
    W_o_back_x = arrays["W_o_back_x"]
    d_n = arrays["d_n"]

    W_x = np.concatenate(
        (
            W_o_back_x,
            W_f_back_x,
            W_i_back_x,
            W_g_back_x,
            W_o_forth_x,
            W_f_forth_x,
            W_i_forth_x,
            W_g_forth_x,
        ),
    )
    d_x = (_rows(d_n[:, :, 24:]) @ W_x).reshape(-1, B, 3)  # (95) ij,tbj->tbi
    arrays["d_x"] = d_x


def _initial_gradients(arrays, T, B, dtype):
    """The gradients of values outside the steps."""
    valid = arrays["valid"]
    f_forth = arrays["f_forth"]
    f_back = arrays["f_back"]
    f_forth2 = arrays["f_forth2"]
    f_back2 = arrays["f_back2"]
    U_i_forth = arrays["U_i_forth"]
    U_f_forth = arrays["U_f_forth"]
    U_g_forth = arrays["U_g_forth"]
    U_o_forth = arrays["U_o_forth"]
    U_i_back = arrays["U_i_back"]
    U_f_back = arrays["U_f_back"]
    U_g_back = arrays["U_g_back"]
    U_o_back = arrays["U_o_back"]
    U_i_forth2 = arrays["U_i_forth2"]
    U_f_forth2 = arrays["U_f_forth2"]
    U_g_forth2 = arrays["U_g_forth2"]
    U_o_forth2 = arrays["U_o_forth2"]
    U_i_back2 = arrays["U_i_back2"]
    U_f_back2 = arrays["U_f_back2"]
    U_g_back2 = arrays["U_g_back2"]
    U_o_back2 = arrays["U_o_back2"]
    d_state_back2 = arrays["d_state_back2"]
    d_c_back2 = arrays["d_c_back2"]
    d_state_forth2 = arrays["d_state_forth2"]
    d_c_forth2 = arrays["d_c_forth2"]
    d_state_back = arrays["d_state_back"]
    d_c_back = arrays["d_c_back"]
    d_state_forth = arrays["d_state_forth"]
    d_c_forth = arrays["d_c_forth"]
    d_n = arrays["d_n"]

    U_back2 = np.concatenate((U_o_back2, U_f_back2, U_i_back2, U_g_back2))
    U_forth2 = np.concatenate((U_o_forth2, U_f_forth2, U_i_forth2, U_g_forth2))
    U_back = np.concatenate((U_o_back, U_f_back, U_i_back, U_g_back))
    U_forth = np.concatenate((U_o_forth, U_f_forth, U_i_forth, U_g_forth))
    d_initial_state_forth = (  # (155) ij,kbj->kbi
        (_rows(d_n[:1, :, 40:]) @ U_forth).reshape(-1, B, 4)
    )
    d_initial_state_forth += d_state_forth[:1] * (1 - valid[:1][:, :, None])  # (155)
    d_initial_c_forth = (  # (156)
        d_c_forth[:1] * (1 + f_forth[:1] * valid[:1][:, :, None] - valid[:1][:, :, None])
    )
    d_after_state_back = (  # (157) ij,kbj->kbi
        (_rows(d_n[T - 1:, :, 24:40]) @ U_back).reshape(-1, B, 4)
    )
    d_after_state_back += d_state_back[T - 1:] * (1 - valid[T - 1:][:, :, None])  # (157)
    d_after_c_back = (  # (158)
        d_c_back[T - 1:]
        * (1 + f_back[T - 1:] * valid[T - 1:][:, :, None] - valid[T - 1:][:, :, None])
    )
    d_initial_state_forth2 = (  # (159) ij,kbj->kbi
        (_rows(d_n[:1, :, 12:24]) @ U_forth2).reshape(-1, B, 3)
    )
    d_initial_state_forth2 += d_state_forth2[:1] * (1 - valid[:1][:, :, None])  # (159)
    d_initial_c_forth2 = (  # (160)
        d_c_forth2[:1] * (1 + f_forth2[:1] * valid[:1][:, :, None] - valid[:1][:, :, None])
    )
    d_after_state_back2 = (  # (161) ij,kbj->kbi
        (_rows(d_n[T - 1:, :, :12]) @ U_back2).reshape(-1, B, 3)
    )
    d_after_state_back2 += d_state_back2[T - 1:] * (1 - valid[T - 1:][:, :, None])  # (161)
    d_after_c_back2 = (  # (162)
        d_c_back2[T - 1:]
        * (1 + f_back2[T - 1:] * valid[T - 1:][:, :, None] - valid[T - 1:][:, :, None])
    )
    arrays["d_initial_state_forth"] = d_initial_state_forth
    arrays["d_initial_c_forth"] = d_initial_c_forth
    arrays["d_after_state_back"] = d_after_state_back
    arrays["d_after_c_back"] = d_after_c_back
    arrays["d_initial_state_forth2"] = d_initial_state_forth2
    arrays["d_initial_c_forth2"] = d_initial_c_forth2
    arrays["d_after_state_back2"] = d_after_state_back2
    arrays["d_after_c_back2"] = d_after_c_back2


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


def _logsumexp(x, axis, where=True):
    """log(sum(exp(x))) where the condition holds; 0 where it holds nowhere."""
    top = x.real.max(axis, keepdims=True, initial=-np.inf, where=where)
    top = np.where(np.isfinite(top), top, 0).astype(x.dtype)
    total = np.exp(np.where(where, x - top, -np.inf)).sum(axis)
    return np.log(np.where(total == 0, 1, total)) + top.squeeze(axis)


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
    "b_f_back",
    "b_f_back2",
    "b_f_forth",
    "b_f_forth2",
    "b_g_back",
    "b_g_back2",
    "b_g_forth",
    "b_g_forth2",
    "b_i_back",
    "b_i_back2",
    "b_i_forth",
    "b_i_forth2",
    "b_o_back",
    "b_o_back2",
    "b_o_forth",
    "b_o_forth2",
    "b_output",
}
# What arrays hold by other names than a caller gives, and the names of gradients.
_GIVEN_AS = {
    ("targets", "output"): "target_output",
}
_GRADIENTS = {
    "W_i_forth_x": "d_W_i_forth_x",
    "U_i_forth": "d_U_i_forth",
    "b_i_forth": "d_b_i_forth",
    "W_f_forth_x": "d_W_f_forth_x",
    "U_f_forth": "d_U_f_forth",
    "b_f_forth": "d_b_f_forth",
    "W_g_forth_x": "d_W_g_forth_x",
    "U_g_forth": "d_U_g_forth",
    "b_g_forth": "d_b_g_forth",
    "W_o_forth_x": "d_W_o_forth_x",
    "U_o_forth": "d_U_o_forth",
    "b_o_forth": "d_b_o_forth",
    "W_i_back_x": "d_W_i_back_x",
    "U_i_back": "d_U_i_back",
    "b_i_back": "d_b_i_back",
    "W_f_back_x": "d_W_f_back_x",
    "U_f_back": "d_U_f_back",
    "b_f_back": "d_b_f_back",
    "W_g_back_x": "d_W_g_back_x",
    "U_g_back": "d_U_g_back",
    "b_g_back": "d_b_g_back",
    "W_o_back_x": "d_W_o_back_x",
    "U_o_back": "d_U_o_back",
    "b_o_back": "d_b_o_back",
    "W_i_forth2_forth": "d_W_i_forth2_forth",
    "W_i_forth2_back": "d_W_i_forth2_back",
    "U_i_forth2": "d_U_i_forth2",
    "b_i_forth2": "d_b_i_forth2",
    "W_f_forth2_forth": "d_W_f_forth2_forth",
    "W_f_forth2_back": "d_W_f_forth2_back",
    "U_f_forth2": "d_U_f_forth2",
    "b_f_forth2": "d_b_f_forth2",
    "W_g_forth2_forth": "d_W_g_forth2_forth",
    "W_g_forth2_back": "d_W_g_forth2_back",
    "U_g_forth2": "d_U_g_forth2",
    "b_g_forth2": "d_b_g_forth2",
    "W_o_forth2_forth": "d_W_o_forth2_forth",
    "W_o_forth2_back": "d_W_o_forth2_back",
    "U_o_forth2": "d_U_o_forth2",
    "b_o_forth2": "d_b_o_forth2",
    "W_i_back2_forth": "d_W_i_back2_forth",
    "W_i_back2_back": "d_W_i_back2_back",
    "U_i_back2": "d_U_i_back2",
    "b_i_back2": "d_b_i_back2",
    "W_f_back2_forth": "d_W_f_back2_forth",
    "W_f_back2_back": "d_W_f_back2_back",
    "U_f_back2": "d_U_f_back2",
    "b_f_back2": "d_b_f_back2",
    "W_g_back2_forth": "d_W_g_back2_forth",
    "W_g_back2_back": "d_W_g_back2_back",
    "U_g_back2": "d_U_g_back2",
    "b_g_back2": "d_b_g_back2",
    "W_o_back2_forth": "d_W_o_back2_forth",
    "W_o_back2_back": "d_W_o_back2_back",
    "U_o_back2": "d_U_o_back2",
    "b_o_back2": "d_b_o_back2",
    "W_output_forth2": "d_W_output_forth2",
    "W_output_back2": "d_W_output_back2",
    "b_output": "d_b_output",
}
_INPUT_GRADIENTS = {"x": "d_x"}
_INITIAL_GRADIENTS = {
    "state_forth": "d_initial_state_forth",
    "c_forth": "d_initial_c_forth",
    "state_back": "d_after_state_back",
    "c_back": "d_after_c_back",
    "state_forth2": "d_initial_state_forth2",
    "c_forth2": "d_initial_c_forth2",
    "state_back2": "d_after_state_back2",
    "c_back2": "d_after_c_back2",
}
_JUDGING = ("valid",)


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
    arrays["state_forth"] = _extended(T, (B, 4), outside.get("state_forth"), 1, None, 0, dtype)
    arrays["c_forth"] = _extended(T, (B, 4), outside.get("c_forth"), 1, None, 0, dtype)
    arrays["state_back"] = _extended(T, (B, 4), None, 0, outside.get("state_back"), 1, dtype)
    arrays["c_back"] = _extended(T, (B, 4), None, 0, outside.get("c_back"), 1, dtype)
    arrays["state_forth2"] = _extended(T, (B, 3), outside.get("state_forth2"), 1, None, 0, dtype)
    arrays["c_forth2"] = _extended(T, (B, 3), outside.get("c_forth2"), 1, None, 0, dtype)
    arrays["state_back2"] = _extended(T, (B, 3), None, 0, outside.get("state_back2"), 1, dtype)
    arrays["c_back2"] = _extended(T, (B, 3), None, 0, outside.get("c_back2"), 1, dtype)
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
# Generated. SHA-256 of all above: 03539251f47d40d0d302b748708e3ab7655b7f24d0f26d0be9a5fbfe47b1568a
