"""derivatives: a recurrent network with 48 parameters.

Inputs x (T, B, 2); outputs position (T, B, 1), label (T, B, 2).

Arrays are laid out (time, batch, width); T, B are the numbers of steps and of sequences.
Parameters, inputs, targets and gradients are dicts of arrays by name, all of one dtype:
float32, float64, or complex128 (for derivatives by complex step).

Equations; d_x stands for the derivative of the loss by x, and a term with a condition in
brackets is zero where the condition does not hold. dot_x is the derivative of x along a
direction. y_by_W is the derivative of y by W, y_per_x that of y[s] by x[t]. R_x is the
derivative of x along a vector of parameters. R_x is the derivative of x along a vector of
parameters, e_z that of the loss by z alone, curvature_per_x the product taken back. x_by_W is
the derivative of x by W. chunk_objective_per_x is the derivative of chunk_objective by x.
t = 0..T-1 steps, b = 0..B-1 sequences; sizes N_x = 2, N_hidden = 3, N_position = 1, N_label =
2.

  (1)  n_hidden[t,b,i] = sum_j W_hidden_x[i,j]*x[t,b,j] + sum_j W_hidden_x_2[i,j]*x[t-2,b,j]
           + sum_j W_hidden_hidden_1[i,j]*hidden[t-1,b,j]
           + sum_j W_hidden_position_1[i,j]*position[t-1,b,j]
           + sum_j W_hidden_position_3[i,j]*position[t-3,b,j] + b_hidden[i]
  (2)  hidden[t,b,i] = tanh(n_hidden[t,b,i])
  (3)  position[t,b,i] = sum_j W_position_hidden[i,j]*hidden[t,b,j] + b_position[i]
  (4)  n_label[t,b,i] = sum_j W_label_hidden[i,j]*hidden[t,b,j]
           + sum_j W_label_hidden_1[i,j]*hidden[t-1,b,j] + b_label[i]
  (5)  logsumexp_label[t,b] = log(sum_i exp(n_label[t,b,i]))
  (6)  label[t,b,i] = exp(n_label[t,b,i] - logsumexp_label[t,b])
  (7)  loss_position = sum_t,b,i (position[t,b,i] - target_position[t,b,i])^2/(B*N_position*T)
  (8)  loss_label = sum_b logsumexp_label[T-1,b]/B
           - sum_b,i target_label[b,i]*n_label[T-1,b,i]/B
  (9)  loss = loss_position + loss_label/2
 (10)  d_n_label[t,b,i] = (label[t,b,i] - target_label[b,i])/(2*B) [t = T-1]
 (11)  d_position[t,b,i] = 2*(position[t,b,i] - target_position[t,b,i])/(B*N_position*T)
           + sum_j W_hidden_position_1[j,i]*d_n_hidden[t+1,b,j] [t <= T-2]
           + sum_j W_hidden_position_3[j,i]*d_n_hidden[t+3,b,j] [t <= T-4]
 (12)  d_hidden[t,b,i] = sum_j W_label_hidden[j,i]*d_n_label[t,b,j]
           + sum_j W_label_hidden_1[j,i]*d_n_label[t+1,b,j] [t <= T-2]
           + sum_j W_position_hidden[j,i]*d_position[t,b,j]
           + sum_j W_hidden_hidden_1[j,i]*d_n_hidden[t+1,b,j] [t <= T-2]
 (13)  d_n_hidden[t,b,i] = d_hidden[t,b,i]*(1 - hidden[t,b,i]^2)
 (14)  d_x[t,b,i] = sum_j W_hidden_x[j,i]*d_n_hidden[t,b,j]
           + sum_j W_hidden_x_2[j,i]*d_n_hidden[t+2,b,j] [t <= T-3]
 (15)  d_W_hidden_x[i,j] = sum_t,b d_n_hidden[t,b,i]*x[t,b,j]
 (16)  d_W_hidden_x_2[i,j] = sum_t,b d_n_hidden[t,b,i]*x[t-2,b,j]
 (17)  d_W_hidden_hidden_1[i,j] = sum_t,b d_n_hidden[t,b,i]*hidden[t-1,b,j]
 (18)  d_W_hidden_position_1[i,j] = sum_t,b d_n_hidden[t,b,i]*position[t-1,b,j]
 (19)  d_W_hidden_position_3[i,j] = sum_t,b d_n_hidden[t,b,i]*position[t-3,b,j]
 (20)  d_b_hidden[i] = sum_t,b d_n_hidden[t,b,i]
 (21)  d_W_position_hidden[i,j] = sum_t,b d_position[t,b,i]*hidden[t,b,j]
 (22)  d_b_position[i] = sum_t,b d_position[t,b,i]
 (23)  d_W_label_hidden[i,j] = sum_t,b d_n_label[t,b,i]*hidden[t,b,j]
 (24)  d_W_label_hidden_1[i,j] = sum_t,b d_n_label[t,b,i]*hidden[t-1,b,j]
 (25)  d_b_label[i] = sum_t,b d_n_label[t,b,i]
 (26)  d_initial_x[k,b,i] = sum_j W_hidden_x_2[j,i]*d_n_hidden[k,b,j] [k <= T-1]
 (27)  d_initial_hidden[k,b,i] = sum_j W_label_hidden_1[j,i]*d_n_label[k,b,j]
           + sum_j W_hidden_hidden_1[j,i]*d_n_hidden[k,b,j]
 (28)  d_initial_position[k,b,i] = sum_j W_hidden_position_1[j,i]*d_n_hidden[k-2,b,j] [k >= 2]
           + sum_j W_hidden_position_3[j,i]*d_n_hidden[k,b,j] [k <= T-1]
 (29)  dot_n_hidden[t,b,i] = sum_j dot_W_hidden_x[i,j]*x[t,b,j]
           + sum_j W_hidden_x[i,j]*dot_x[t,b,j] + sum_j dot_W_hidden_x_2[i,j]*x[t-2,b,j]
           + sum_j W_hidden_x_2[i,j]*dot_x[t-2,b,j]
           + sum_j dot_W_hidden_hidden_1[i,j]*hidden[t-1,b,j]
           + sum_j W_hidden_hidden_1[i,j]*dot_hidden[t-1,b,j]
           + sum_j dot_W_hidden_position_1[i,j]*position[t-1,b,j]
           + sum_j W_hidden_position_1[i,j]*dot_position[t-1,b,j]
           + sum_j dot_W_hidden_position_3[i,j]*position[t-3,b,j]
           + sum_j W_hidden_position_3[i,j]*dot_position[t-3,b,j] + dot_b_hidden[i]
 (30)  dot_hidden[t,b,i] = dot_n_hidden[t,b,i]*(1 - hidden[t,b,i]^2)
 (31)  dot_position[t,b,i] = sum_j dot_W_position_hidden[i,j]*hidden[t,b,j]
           + sum_j W_position_hidden[i,j]*dot_hidden[t,b,j] + dot_b_position[i]
 (32)  dot_n_label[t,b,i] = sum_j dot_W_label_hidden[i,j]*hidden[t,b,j]
           + sum_j W_label_hidden[i,j]*dot_hidden[t,b,j]
           + sum_j dot_W_label_hidden_1[i,j]*hidden[t-1,b,j]
           + sum_j W_label_hidden_1[i,j]*dot_hidden[t-1,b,j] + dot_b_label[i]
 (33)  dot_logsumexp_label[t,b] = sum_i dot_n_label[t,b,i]*label[t,b,i]
 (34)  dot_label[t,b,i] = label[t,b,i]*(dot_n_label[t,b,i] - dot_logsumexp_label[t,b])
 (35)  n_hidden_by_W_hidden_x[t,b,i,j,k] = x[t,b,k] [j = i]
           + sum_l W_hidden_hidden_1[i,l]*hidden_by_W_hidden_x[t-1,b,l,j,k]
           + sum_l W_hidden_position_1[i,l]*position_by_W_hidden_x[t-1,b,l,j,k]
           + sum_l W_hidden_position_3[i,l]*position_by_W_hidden_x[t-3,b,l,j,k]
 (36)  hidden_by_W_hidden_x[t,b,i,j,k] = n_hidden_by_W_hidden_x[t,b,i,j,k]*(1 - hidden[t,b,i]^2)
 (37)  position_by_W_hidden_x[t,b,i,j,k] = sum_l W_position_hidden[i,l]*hidden_by_W_hidden_x[t,b,l,j,k]
 (38)  n_label_by_W_hidden_x[t,b,i,j,k] = sum_l W_label_hidden[i,l]*hidden_by_W_hidden_x[t,b,l,j,k]
           + sum_l W_label_hidden_1[i,l]*hidden_by_W_hidden_x[t-1,b,l,j,k]
 (39)  logsumexp_label_by_W_hidden_x[t,b,i,j] = sum_k label[t,b,k]*n_label_by_W_hidden_x[t,b,k,i,j]
 (40)  label_by_W_hidden_x[t,b,i,j,k] = label[t,b,i]*(n_label_by_W_hidden_x[t,b,i,j,k] - logsumexp_label_by_W_hidden_x[t,b,j,k])
 (41)  n_hidden_by_W_hidden_x_2[t,b,i,j,k] = x[t-2,b,k] [j = i]
           + sum_l W_hidden_hidden_1[i,l]*hidden_by_W_hidden_x_2[t-1,b,l,j,k]
           + sum_l W_hidden_position_1[i,l]*position_by_W_hidden_x_2[t-1,b,l,j,k]
           + sum_l W_hidden_position_3[i,l]*position_by_W_hidden_x_2[t-3,b,l,j,k]
 (42)  hidden_by_W_hidden_x_2[t,b,i,j,k] = n_hidden_by_W_hidden_x_2[t,b,i,j,k]*(1 - hidden[t,b,i]^2)
 (43)  position_by_W_hidden_x_2[t,b,i,j,k] = sum_l W_position_hidden[i,l]*hidden_by_W_hidden_x_2[t,b,l,j,k]
 (44)  n_label_by_W_hidden_x_2[t,b,i,j,k] = sum_l W_label_hidden[i,l]*hidden_by_W_hidden_x_2[t,b,l,j,k]
           + sum_l W_label_hidden_1[i,l]*hidden_by_W_hidden_x_2[t-1,b,l,j,k]
 (45)  logsumexp_label_by_W_hidden_x_2[t,b,i,j] = sum_k label[t,b,k]*n_label_by_W_hidden_x_2[t,b,k,i,j]
 (46)  label_by_W_hidden_x_2[t,b,i,j,k] = label[t,b,i]*(n_label_by_W_hidden_x_2[t,b,i,j,k] - logsumexp_label_by_W_hidden_x_2[t,b,j,k])
 (47)  n_hidden_by_W_hidden_hidden_1[t,b,i,j,k] = hidden[t-1,b,k] [j = i]
           + sum_l W_hidden_hidden_1[i,l]*hidden_by_W_hidden_hidden_1[t-1,b,l,j,k]
           + sum_l W_hidden_position_1[i,l]*position_by_W_hidden_hidden_1[t-1,b,l,j,k]
           + sum_l W_hidden_position_3[i,l]*position_by_W_hidden_hidden_1[t-3,b,l,j,k]
 (48)  hidden_by_W_hidden_hidden_1[t,b,i,j,k] = n_hidden_by_W_hidden_hidden_1[t,b,i,j,k]*(1 - hidden[t,b,i]^2)
 (49)  position_by_W_hidden_hidden_1[t,b,i,j,k] = sum_l W_position_hidden[i,l]*hidden_by_W_hidden_hidden_1[t,b,l,j,k]
 (50)  n_label_by_W_hidden_hidden_1[t,b,i,j,k] = sum_l W_label_hidden[i,l]*hidden_by_W_hidden_hidden_1[t,b,l,j,k]
           + sum_l W_label_hidden_1[i,l]*hidden_by_W_hidden_hidden_1[t-1,b,l,j,k]
 (51)  logsumexp_label_by_W_hidden_hidden_1[t,b,i,j] = sum_k label[t,b,k]*n_label_by_W_hidden_hidden_1[t,b,k,i,j]
 (52)  label_by_W_hidden_hidden_1[t,b,i,j,k] = label[t,b,i]*(n_label_by_W_hidden_hidden_1[t,b,i,j,k] - logsumexp_label_by_W_hidden_hidden_1[t,b,j,k])
 (53)  n_hidden_by_W_hidden_position_1[t,b,i,j,k] = sum_l W_hidden_hidden_1[i,l]*hidden_by_W_hidden_position_1[t-1,b,l,j,k]
           + position[t-1,b,k] [j = i]
           + sum_l W_hidden_position_1[i,l]*position_by_W_hidden_position_1[t-1,b,l,j,k]
           + sum_l W_hidden_position_3[i,l]*position_by_W_hidden_position_1[t-3,b,l,j,k]
 (54)  hidden_by_W_hidden_position_1[t,b,i,j,k] = n_hidden_by_W_hidden_position_1[t,b,i,j,k]*(1 - hidden[t,b,i]^2)
 (55)  position_by_W_hidden_position_1[t,b,i,j,k] = sum_l W_position_hidden[i,l]*hidden_by_W_hidden_position_1[t,b,l,j,k]
 (56)  n_label_by_W_hidden_position_1[t,b,i,j,k] = sum_l W_label_hidden[i,l]*hidden_by_W_hidden_position_1[t,b,l,j,k]
           + sum_l W_label_hidden_1[i,l]*hidden_by_W_hidden_position_1[t-1,b,l,j,k]
 (57)  logsumexp_label_by_W_hidden_position_1[t,b,i,j] = sum_k label[t,b,k]*n_label_by_W_hidden_position_1[t,b,k,i,j]
 (58)  label_by_W_hidden_position_1[t,b,i,j,k] = label[t,b,i]*(n_label_by_W_hidden_position_1[t,b,i,j,k] - logsumexp_label_by_W_hidden_position_1[t,b,j,k])
 (59)  n_hidden_by_W_hidden_position_3[t,b,i,j,k] = sum_l W_hidden_hidden_1[i,l]*hidden_by_W_hidden_position_3[t-1,b,l,j,k]
           + sum_l W_hidden_position_1[i,l]*position_by_W_hidden_position_3[t-1,b,l,j,k]
           + position[t-3,b,k] [j = i]
           + sum_l W_hidden_position_3[i,l]*position_by_W_hidden_position_3[t-3,b,l,j,k]
 (60)  hidden_by_W_hidden_position_3[t,b,i,j,k] = n_hidden_by_W_hidden_position_3[t,b,i,j,k]*(1 - hidden[t,b,i]^2)
 (61)  position_by_W_hidden_position_3[t,b,i,j,k] = sum_l W_position_hidden[i,l]*hidden_by_W_hidden_position_3[t,b,l,j,k]
 (62)  n_label_by_W_hidden_position_3[t,b,i,j,k] = sum_l W_label_hidden[i,l]*hidden_by_W_hidden_position_3[t,b,l,j,k]
           + sum_l W_label_hidden_1[i,l]*hidden_by_W_hidden_position_3[t-1,b,l,j,k]
 (63)  logsumexp_label_by_W_hidden_position_3[t,b,i,j] = sum_k label[t,b,k]*n_label_by_W_hidden_position_3[t,b,k,i,j]
 (64)  label_by_W_hidden_position_3[t,b,i,j,k] = label[t,b,i]*(n_label_by_W_hidden_position_3[t,b,i,j,k] - logsumexp_label_by_W_hidden_position_3[t,b,j,k])
 (65)  n_hidden_by_b_hidden[t,b,i,j] = sum_k W_hidden_hidden_1[i,k]*hidden_by_b_hidden[t-1,b,k,j]
           + sum_k W_hidden_position_1[i,k]*position_by_b_hidden[t-1,b,k,j]
           + sum_k W_hidden_position_3[i,k]*position_by_b_hidden[t-3,b,k,j] + 1 [j = i]
 (66)  hidden_by_b_hidden[t,b,i,j] = n_hidden_by_b_hidden[t,b,i,j]*(1 - hidden[t,b,i]^2)
 (67)  position_by_b_hidden[t,b,i,j] = sum_k W_position_hidden[i,k]*hidden_by_b_hidden[t,b,k,j]
 (68)  n_label_by_b_hidden[t,b,i,j] = sum_k W_label_hidden[i,k]*hidden_by_b_hidden[t,b,k,j]
           + sum_k W_label_hidden_1[i,k]*hidden_by_b_hidden[t-1,b,k,j]
 (69)  logsumexp_label_by_b_hidden[t,b,i] = sum_j label[t,b,j]*n_label_by_b_hidden[t,b,j,i]
 (70)  label_by_b_hidden[t,b,i,j] = label[t,b,i]*(n_label_by_b_hidden[t,b,i,j] - logsumexp_label_by_b_hidden[t,b,j])
 (71)  n_hidden_by_W_position_hidden[t,b,i,j,k] = sum_l W_hidden_hidden_1[i,l]*hidden_by_W_position_hidden[t-1,b,l,j,k]
           + sum_l W_hidden_position_1[i,l]*position_by_W_position_hidden[t-1,b,l,j,k]
           + sum_l W_hidden_position_3[i,l]*position_by_W_position_hidden[t-3,b,l,j,k]
 (72)  hidden_by_W_position_hidden[t,b,i,j,k] = n_hidden_by_W_position_hidden[t,b,i,j,k]*(1 - hidden[t,b,i]^2)
 (73)  position_by_W_position_hidden[t,b,i,j,k] = hidden[t,b,k] [j = i]
           + sum_l W_position_hidden[i,l]*hidden_by_W_position_hidden[t,b,l,j,k]
 (74)  n_label_by_W_position_hidden[t,b,i,j,k] = sum_l W_label_hidden[i,l]*hidden_by_W_position_hidden[t,b,l,j,k]
           + sum_l W_label_hidden_1[i,l]*hidden_by_W_position_hidden[t-1,b,l,j,k]
 (75)  logsumexp_label_by_W_position_hidden[t,b,i,j] = sum_k label[t,b,k]*n_label_by_W_position_hidden[t,b,k,i,j]
 (76)  label_by_W_position_hidden[t,b,i,j,k] = label[t,b,i]*(n_label_by_W_position_hidden[t,b,i,j,k] - logsumexp_label_by_W_position_hidden[t,b,j,k])
 (77)  n_hidden_by_b_position[t,b,i,j] = sum_k W_hidden_hidden_1[i,k]*hidden_by_b_position[t-1,b,k,j]
           + sum_k W_hidden_position_1[i,k]*position_by_b_position[t-1,b,k,j]
           + sum_k W_hidden_position_3[i,k]*position_by_b_position[t-3,b,k,j]
 (78)  hidden_by_b_position[t,b,i,j] = n_hidden_by_b_position[t,b,i,j]*(1 - hidden[t,b,i]^2)
 (79)  position_by_b_position[t,b,i,j] = sum_k W_position_hidden[i,k]*hidden_by_b_position[t,b,k,j]
           + 1 [j = i]
 (80)  n_label_by_b_position[t,b,i,j] = sum_k W_label_hidden[i,k]*hidden_by_b_position[t,b,k,j]
           + sum_k W_label_hidden_1[i,k]*hidden_by_b_position[t-1,b,k,j]
 (81)  logsumexp_label_by_b_position[t,b,i] = sum_j label[t,b,j]*n_label_by_b_position[t,b,j,i]
 (82)  label_by_b_position[t,b,i,j] = label[t,b,i]*(n_label_by_b_position[t,b,i,j] - logsumexp_label_by_b_position[t,b,j])
 (83)  n_label_by_W_label_hidden[t,b,i,j,k] = hidden[t,b,k] [j = i]
 (84)  logsumexp_label_by_W_label_hidden[t,b,i,j] = sum_k label[t,b,k]*n_label_by_W_label_hidden[t,b,k,i,j]
 (85)  label_by_W_label_hidden[t,b,i,j,k] = label[t,b,i]*(n_label_by_W_label_hidden[t,b,i,j,k] - logsumexp_label_by_W_label_hidden[t,b,j,k])
 (86)  n_label_by_W_label_hidden_1[t,b,i,j,k] = hidden[t-1,b,k] [j = i]
 (87)  logsumexp_label_by_W_label_hidden_1[t,b,i,j] = sum_k label[t,b,k]*n_label_by_W_label_hidden_1[t,b,k,i,j]
 (88)  label_by_W_label_hidden_1[t,b,i,j,k] = label[t,b,i]*(n_label_by_W_label_hidden_1[t,b,i,j,k] - logsumexp_label_by_W_label_hidden_1[t,b,j,k])
 (89)  n_label_by_b_label[t,b,i,j] = 1 [j = i]
 (90)  logsumexp_label_by_b_label[t,b,i] = sum_j label[t,b,j]*n_label_by_b_label[t,b,j,i]
 (91)  label_by_b_label[t,b,i,j] = label[t,b,i]*(n_label_by_b_label[t,b,i,j] - logsumexp_label_by_b_label[t,b,j])
 (92)  position_per_position[t,s,b,i,j] = 1 [s = t, j = i]
           + sum_k W_hidden_position_1[k,j]*position_per_n_hidden[t+1,s,b,i,k] [t <= T-2]
           + sum_k W_hidden_position_3[k,j]*position_per_n_hidden[t+3,s,b,i,k] [t <= T-4]
 (93)  position_per_hidden[t,s,b,i,j] = sum_k W_position_hidden[k,j]*position_per_position[t,s,b,i,k]
           + sum_k W_hidden_hidden_1[k,j]*position_per_n_hidden[t+1,s,b,i,k] [t <= T-2]
 (94)  position_per_n_hidden[t,s,b,i,j] = position_per_hidden[t,s,b,i,j]*(1 - hidden[t,b,j]^2)
 (95)  position_per_W_hidden_x[t,b,i,j,k] = sum_s position_per_n_hidden[s,t,b,i,j]*x[s,b,k]
 (96)  position_per_W_hidden_x_2[t,b,i,j,k] = sum_s position_per_n_hidden[s,t,b,i,j]*x[s-2,b,k]
 (97)  position_per_W_hidden_hidden_1[t,b,i,j,k] = sum_s position_per_n_hidden[s,t,b,i,j]*hidden[s-1,b,k]
 (98)  position_per_W_hidden_position_1[t,b,i,j,k] = sum_s position_per_n_hidden[s,t,b,i,j]*position[s-1,b,k]
 (99)  position_per_W_hidden_position_3[t,b,i,j,k] = sum_s position_per_n_hidden[s,t,b,i,j]*position[s-3,b,k]
(100)  position_per_b_hidden[t,b,i,j] = sum_s position_per_n_hidden[s,t,b,i,j]
(101)  position_per_W_position_hidden[t,b,i,j,k] = sum_s position_per_position[s,t,b,i,j]*hidden[s,b,k]
(102)  position_per_b_position[t,b,i,j] = sum_s position_per_position[s,t,b,i,j]
(103)  position_per_W_label_hidden[t,b,i,j,k] = 0
(104)  position_per_W_label_hidden_1[t,b,i,j,k] = 0
(105)  position_per_b_label[t,b,i,j] = 0
(106)  label_per_label[t,s,b,i,j] = 1 [s = t, j = i]
(107)  label_per_logsumexp_label[t,s,b,i] = -sum_j label_per_label[t,s,b,i,j]*label[t,b,j]
(108)  label_per_n_label[t,s,b,i,j] = label[t,b,j]*(label_per_label[t,s,b,i,j] + label_per_logsumexp_label[t,s,b,i])
(109)  label_per_position[t,s,b,i,j] = sum_k W_hidden_position_1[k,j]*label_per_n_hidden[t+1,s,b,i,k] [t <= T-2]
           + sum_k W_hidden_position_3[k,j]*label_per_n_hidden[t+3,s,b,i,k] [t <= T-4]
(110)  label_per_hidden[t,s,b,i,j] = sum_k W_label_hidden[k,j]*label_per_n_label[t,s,b,i,k]
           + sum_k W_label_hidden_1[k,j]*label_per_n_label[t+1,s,b,i,k] [t <= T-2]
           + sum_k W_position_hidden[k,j]*label_per_position[t,s,b,i,k]
           + sum_k W_hidden_hidden_1[k,j]*label_per_n_hidden[t+1,s,b,i,k] [t <= T-2]
(111)  label_per_n_hidden[t,s,b,i,j] = label_per_hidden[t,s,b,i,j]*(1 - hidden[t,b,j]^2)
(112)  label_per_W_hidden_x[t,b,i,j,k] = sum_s label_per_n_hidden[s,t,b,i,j]*x[s,b,k]
(113)  label_per_W_hidden_x_2[t,b,i,j,k] = sum_s label_per_n_hidden[s,t,b,i,j]*x[s-2,b,k]
(114)  label_per_W_hidden_hidden_1[t,b,i,j,k] = sum_s label_per_n_hidden[s,t,b,i,j]*hidden[s-1,b,k]
(115)  label_per_W_hidden_position_1[t,b,i,j,k] = sum_s label_per_n_hidden[s,t,b,i,j]*position[s-1,b,k]
(116)  label_per_W_hidden_position_3[t,b,i,j,k] = sum_s label_per_n_hidden[s,t,b,i,j]*position[s-3,b,k]
(117)  label_per_b_hidden[t,b,i,j] = sum_s label_per_n_hidden[s,t,b,i,j]
(118)  label_per_W_position_hidden[t,b,i,j,k] = sum_s label_per_position[s,t,b,i,j]*hidden[s,b,k]
(119)  label_per_b_position[t,b,i,j] = sum_s label_per_position[s,t,b,i,j]
(120)  label_per_W_label_hidden[t,b,i,j,k] = sum_s label_per_n_label[s,t,b,i,j]*hidden[s,b,k]
(121)  label_per_W_label_hidden_1[t,b,i,j,k] = sum_s label_per_n_label[s,t,b,i,j]*hidden[s-1,b,k]
(122)  label_per_b_label[t,b,i,j] = sum_s label_per_n_label[s,t,b,i,j]
(123)  R_n_hidden[t,b,i] = sum_j R_W_hidden_x[i,j]*x[t,b,j]
           + sum_j R_W_hidden_x_2[i,j]*x[t-2,b,j]
           + sum_j R_W_hidden_hidden_1[i,j]*hidden[t-1,b,j]
           + sum_j W_hidden_hidden_1[i,j]*R_hidden[t-1,b,j]
           + sum_j R_W_hidden_position_1[i,j]*position[t-1,b,j]
           + sum_j W_hidden_position_1[i,j]*R_position[t-1,b,j]
           + sum_j R_W_hidden_position_3[i,j]*position[t-3,b,j]
           + sum_j W_hidden_position_3[i,j]*R_position[t-3,b,j] + R_b_hidden[i]
(124)  R_hidden[t,b,i] = R_n_hidden[t,b,i]*(1 - hidden[t,b,i]^2)
(125)  R_position[t,b,i] = sum_j R_W_position_hidden[i,j]*hidden[t,b,j]
           + sum_j W_position_hidden[i,j]*R_hidden[t,b,j] + R_b_position[i]
(126)  R_n_label[t,b,i] = sum_j R_W_label_hidden[i,j]*hidden[t,b,j]
           + sum_j W_label_hidden[i,j]*R_hidden[t,b,j]
           + sum_j R_W_label_hidden_1[i,j]*hidden[t-1,b,j]
           + sum_j W_label_hidden_1[i,j]*R_hidden[t-1,b,j] + R_b_label[i]
(127)  R_logsumexp_label[t,b] = sum_i R_n_label[t,b,i]*label[t,b,i]
(128)  R_label[t,b,i] = label[t,b,i]*(R_n_label[t,b,i] - R_logsumexp_label[t,b])
(129)  R_loss_position = sum_t,b,i 2*R_position[t,b,i]*(position[t,b,i] - target_position[t,b,i])/(B*N_position*T)
(130)  R_loss_label = sum_b R_logsumexp_label[T-1,b]/B
           - sum_b,i target_label[b,i]*R_n_label[T-1,b,i]/B
(131)  R_loss = R_loss_label/2 + R_loss_position
(132)  R_d_n_label[t,b,i] = R_label[t,b,i]/(2*B) [t = T-1]
(133)  R_d_position[t,b,i] = 2*R_position[t,b,i]/(B*N_position*T)
           + sum_j R_W_hidden_position_1[j,i]*d_n_hidden[t+1,b,j] [t <= T-2]
           + sum_j W_hidden_position_1[j,i]*R_d_n_hidden[t+1,b,j] [t <= T-2]
           + sum_j R_W_hidden_position_3[j,i]*d_n_hidden[t+3,b,j] [t <= T-4]
           + sum_j W_hidden_position_3[j,i]*R_d_n_hidden[t+3,b,j] [t <= T-4]
(134)  R_d_hidden[t,b,i] = sum_j R_W_label_hidden[j,i]*d_n_label[t,b,j]
           + sum_j W_label_hidden[j,i]*R_d_n_label[t,b,j]
           + sum_j R_W_label_hidden_1[j,i]*d_n_label[t+1,b,j] [t <= T-2]
           + sum_j W_label_hidden_1[j,i]*R_d_n_label[t+1,b,j] [t <= T-2]
           + sum_j R_W_position_hidden[j,i]*d_position[t,b,j]
           + sum_j W_position_hidden[j,i]*R_d_position[t,b,j]
           + sum_j R_W_hidden_hidden_1[j,i]*d_n_hidden[t+1,b,j] [t <= T-2]
           + sum_j W_hidden_hidden_1[j,i]*R_d_n_hidden[t+1,b,j] [t <= T-2]
(135)  R_d_n_hidden[t,b,i] = R_d_hidden[t,b,i]*(1 - hidden[t,b,i]^2)
           - 2*d_hidden[t,b,i]*R_hidden[t,b,i]*hidden[t,b,i]
(136)  R_d_W_hidden_x[i,j] = sum_t,b R_d_n_hidden[t,b,i]*x[t,b,j]
(137)  R_d_W_hidden_x_2[i,j] = sum_t,b R_d_n_hidden[t,b,i]*x[t-2,b,j]
(138)  R_d_W_hidden_hidden_1[i,j] = sum_t,b R_d_n_hidden[t,b,i]*hidden[t-1,b,j]
           + sum_t,b d_n_hidden[t,b,i]*R_hidden[t-1,b,j]
(139)  R_d_W_hidden_position_1[i,j] = sum_t,b R_d_n_hidden[t,b,i]*position[t-1,b,j]
           + sum_t,b d_n_hidden[t,b,i]*R_position[t-1,b,j]
(140)  R_d_W_hidden_position_3[i,j] = sum_t,b R_d_n_hidden[t,b,i]*position[t-3,b,j]
           + sum_t,b d_n_hidden[t,b,i]*R_position[t-3,b,j]
(141)  R_d_b_hidden[i] = sum_t,b R_d_n_hidden[t,b,i]
(142)  R_d_W_position_hidden[i,j] = sum_t,b R_d_position[t,b,i]*hidden[t,b,j]
           + sum_t,b d_position[t,b,i]*R_hidden[t,b,j]
(143)  R_d_b_position[i] = sum_t,b R_d_position[t,b,i]
(144)  R_d_W_label_hidden[i,j] = sum_t,b R_d_n_label[t,b,i]*hidden[t,b,j]
           + sum_t,b d_n_label[t,b,i]*R_hidden[t,b,j]
(145)  R_d_W_label_hidden_1[i,j] = sum_t,b R_d_n_label[t,b,i]*hidden[t-1,b,j]
           + sum_t,b d_n_label[t,b,i]*R_hidden[t-1,b,j]
(146)  R_d_b_label[i] = sum_t,b R_d_n_label[t,b,i]
(147)  R_e_position[t,b,i] = 2*R_position[t,b,i]/(B*N_position*T)
(148)  R_e_n_label[t,b,i] = label[t,b,i]*(R_n_label[t,b,i] - R_logsumexp_label[t,b])/(2*B) [t = T-1]
(149)  curvature = sum_t,b,i R_e_position[t,b,i]*position[t,b,i]
           + sum_t,b,i R_e_n_label[t,b,i]*n_label[t,b,i]
(150)  curvature_per_n_label[t,b,i] = R_e_n_label[t,b,i]
(151)  curvature_per_position[t,b,i] = R_e_position[t,b,i]
           + sum_j W_hidden_position_1[j,i]*curvature_per_n_hidden[t+1,b,j] [t <= T-2]
           + sum_j W_hidden_position_3[j,i]*curvature_per_n_hidden[t+3,b,j] [t <= T-4]
(152)  curvature_per_hidden[t,b,i] = sum_j W_label_hidden[j,i]*curvature_per_n_label[t,b,j]
           + sum_j W_label_hidden_1[j,i]*curvature_per_n_label[t+1,b,j] [t <= T-2]
           + sum_j W_position_hidden[j,i]*curvature_per_position[t,b,j]
           + sum_j W_hidden_hidden_1[j,i]*curvature_per_n_hidden[t+1,b,j] [t <= T-2]
(153)  curvature_per_n_hidden[t,b,i] = curvature_per_hidden[t,b,i]*(1 - hidden[t,b,i]^2)
(154)  curvature_per_W_hidden_x[i,j] = sum_t,b curvature_per_n_hidden[t,b,i]*x[t,b,j]
(155)  curvature_per_W_hidden_x_2[i,j] = sum_t,b curvature_per_n_hidden[t,b,i]*x[t-2,b,j]
(156)  curvature_per_W_hidden_hidden_1[i,j] = sum_t,b curvature_per_n_hidden[t,b,i]*hidden[t-1,b,j]
(157)  curvature_per_W_hidden_position_1[i,j] = sum_t,b curvature_per_n_hidden[t,b,i]*position[t-1,b,j]
(158)  curvature_per_W_hidden_position_3[i,j] = sum_t,b curvature_per_n_hidden[t,b,i]*position[t-3,b,j]
(159)  curvature_per_b_hidden[i] = sum_t,b curvature_per_n_hidden[t,b,i]
(160)  curvature_per_W_position_hidden[i,j] = sum_t,b curvature_per_position[t,b,i]*hidden[t,b,j]
(161)  curvature_per_b_position[i] = sum_t,b curvature_per_position[t,b,i]
(162)  curvature_per_W_label_hidden[i,j] = sum_t,b curvature_per_n_label[t,b,i]*hidden[t,b,j]
(163)  curvature_per_W_label_hidden_1[i,j] = sum_t,b curvature_per_n_label[t,b,i]*hidden[t-1,b,j]
(164)  curvature_per_b_label[i] = sum_t,b curvature_per_n_label[t,b,i]
(165)  S_hidden__hidden_1[t,b,i,j] = W_hidden_hidden_1[i,j]*(1 - hidden[t,b,i]^2)
(166)  S_hidden__position_1[t,b,i,j] = W_hidden_position_1[i,j]*(1 - hidden[t,b,i]^2)
(167)  S_hidden__position_3[t,b,i,j] = W_hidden_position_3[i,j]*(1 - hidden[t,b,i]^2)
(168)  S_position__n_hidden[t,b,i,j] = W_position_hidden[i,j]*(1 - hidden[t,b,j]^2)
(169)  S_position__hidden_1[t,b,i,j] = sum_k W_hidden_hidden_1[k,j]*S_position__n_hidden[t,b,i,k]
(170)  S_position__position_1[t,b,i,j] = sum_k W_hidden_position_1[k,j]*S_position__n_hidden[t,b,i,k]
(171)  S_position__position_3[t,b,i,j] = sum_k W_hidden_position_3[k,j]*S_position__n_hidden[t,b,i,k]
(172)  S_n_label__n_hidden[t,b,i,j] = W_label_hidden[i,j]*(1 - hidden[t,b,j]^2)
(173)  S_n_label__hidden_1[t,b,i,j] = W_label_hidden_1[i,j]
           + sum_k W_hidden_hidden_1[k,j]*S_n_label__n_hidden[t,b,i,k]
(174)  S_n_label__position_1[t,b,i,j] = sum_k W_hidden_position_1[k,j]*S_n_label__n_hidden[t,b,i,k]
(175)  S_n_label__position_3[t,b,i,j] = sum_k W_hidden_position_3[k,j]*S_n_label__n_hidden[t,b,i,k]
(176)  S_logsumexp_label__n_label[t,b,i] = exp(n_label[t,b,i] - logsumexp_label[t,b])
(177)  S_logsumexp_label__hidden[t,b,i] = sum_j W_label_hidden[j,i]*S_logsumexp_label__n_label[t,b,j]
(178)  S_logsumexp_label__n_hidden[t,b,i] = S_logsumexp_label__hidden[t,b,i]*(1 - hidden[t,b,i]^2)
(179)  S_logsumexp_label__hidden_1[t,b,i] = sum_j W_label_hidden_1[j,i]*S_logsumexp_label__n_label[t,b,j]
           + sum_j W_hidden_hidden_1[j,i]*S_logsumexp_label__n_hidden[t,b,j]
(180)  S_logsumexp_label__position_1[t,b,i] = sum_j W_hidden_position_1[j,i]*S_logsumexp_label__n_hidden[t,b,j]
(181)  S_logsumexp_label__position_3[t,b,i] = sum_j W_hidden_position_3[j,i]*S_logsumexp_label__n_hidden[t,b,j]
(182)  loss_position_by_W_hidden_x[i,j] = sum_t,b,k 2*position_by_W_hidden_x[t,b,k,i,j]*(position[t,b,k] - target_position[t,b,k])/(B*N_position*T)
(183)  loss_label_by_W_hidden_x[i,j] = sum_b logsumexp_label_by_W_hidden_x[T-1,b,i,j]/B
           - sum_b,k target_label[b,k]*n_label_by_W_hidden_x[T-1,b,k,i,j]/B
(184)  loss_by_W_hidden_x[i,j] = loss_position_by_W_hidden_x[i,j]
           + loss_label_by_W_hidden_x[i,j]/2
(185)  loss_position_by_W_hidden_x_2[i,j] = sum_t,b,k 2*position_by_W_hidden_x_2[t,b,k,i,j]*(position[t,b,k] - target_position[t,b,k])/(B*N_position*T)
(186)  loss_label_by_W_hidden_x_2[i,j] = sum_b logsumexp_label_by_W_hidden_x_2[T-1,b,i,j]/B
           - sum_b,k target_label[b,k]*n_label_by_W_hidden_x_2[T-1,b,k,i,j]/B
(187)  loss_by_W_hidden_x_2[i,j] = loss_position_by_W_hidden_x_2[i,j]
           + loss_label_by_W_hidden_x_2[i,j]/2
(188)  loss_position_by_W_hidden_hidden_1[i,j] = sum_t,b,k 2*position_by_W_hidden_hidden_1[t,b,k,i,j]*(position[t,b,k] - target_position[t,b,k])/(B*N_position*T)
(189)  loss_label_by_W_hidden_hidden_1[i,j] = sum_b logsumexp_label_by_W_hidden_hidden_1[T-1,b,i,j]/B
           - sum_b,k target_label[b,k]*n_label_by_W_hidden_hidden_1[T-1,b,k,i,j]/B
(190)  loss_by_W_hidden_hidden_1[i,j] = loss_position_by_W_hidden_hidden_1[i,j]
           + loss_label_by_W_hidden_hidden_1[i,j]/2
(191)  loss_position_by_W_hidden_position_1[i,j] = sum_t,b,k 2*position_by_W_hidden_position_1[t,b,k,i,j]*(position[t,b,k] - target_position[t,b,k])/(B*N_position*T)
(192)  loss_label_by_W_hidden_position_1[i,j] = sum_b logsumexp_label_by_W_hidden_position_1[T-1,b,i,j]/B
           - sum_b,k target_label[b,k]*n_label_by_W_hidden_position_1[T-1,b,k,i,j]/B
(193)  loss_by_W_hidden_position_1[i,j] = loss_position_by_W_hidden_position_1[i,j]
           + loss_label_by_W_hidden_position_1[i,j]/2
(194)  loss_position_by_W_hidden_position_3[i,j] = sum_t,b,k 2*position_by_W_hidden_position_3[t,b,k,i,j]*(position[t,b,k] - target_position[t,b,k])/(B*N_position*T)
(195)  loss_label_by_W_hidden_position_3[i,j] = sum_b logsumexp_label_by_W_hidden_position_3[T-1,b,i,j]/B
           - sum_b,k target_label[b,k]*n_label_by_W_hidden_position_3[T-1,b,k,i,j]/B
(196)  loss_by_W_hidden_position_3[i,j] = loss_position_by_W_hidden_position_3[i,j]
           + loss_label_by_W_hidden_position_3[i,j]/2
(197)  loss_position_by_b_hidden[i] = sum_t,b,j 2*position_by_b_hidden[t,b,j,i]*(position[t,b,j] - target_position[t,b,j])/(B*N_position*T)
(198)  loss_label_by_b_hidden[i] = sum_b logsumexp_label_by_b_hidden[T-1,b,i]/B
           - sum_b,j target_label[b,j]*n_label_by_b_hidden[T-1,b,j,i]/B
(199)  loss_by_b_hidden[i] = loss_position_by_b_hidden[i] + loss_label_by_b_hidden[i]/2
(200)  loss_position_by_W_position_hidden[i,j] = sum_t,b,k 2*position_by_W_position_hidden[t,b,k,i,j]*(position[t,b,k] - target_position[t,b,k])/(B*N_position*T)
(201)  loss_label_by_W_position_hidden[i,j] = sum_b logsumexp_label_by_W_position_hidden[T-1,b,i,j]/B
           - sum_b,k target_label[b,k]*n_label_by_W_position_hidden[T-1,b,k,i,j]/B
(202)  loss_by_W_position_hidden[i,j] = loss_position_by_W_position_hidden[i,j]
           + loss_label_by_W_position_hidden[i,j]/2
(203)  loss_position_by_b_position[i] = sum_t,b,j 2*position_by_b_position[t,b,j,i]*(position[t,b,j] - target_position[t,b,j])/(B*N_position*T)
(204)  loss_label_by_b_position[i] = sum_b logsumexp_label_by_b_position[T-1,b,i]/B
           - sum_b,j target_label[b,j]*n_label_by_b_position[T-1,b,j,i]/B
(205)  loss_by_b_position[i] = loss_position_by_b_position[i] + loss_label_by_b_position[i]/2
(206)  loss_label_by_W_label_hidden[i,j] = sum_b logsumexp_label_by_W_label_hidden[T-1,b,i,j]/B
           - sum_b,k target_label[b,k]*n_label_by_W_label_hidden[T-1,b,k,i,j]/B
(207)  loss_by_W_label_hidden[i,j] = loss_label_by_W_label_hidden[i,j]/2
(208)  loss_label_by_W_label_hidden_1[i,j] = sum_b logsumexp_label_by_W_label_hidden_1[T-1,b,i,j]/B
           - sum_b,k target_label[b,k]*n_label_by_W_label_hidden_1[T-1,b,k,i,j]/B
(209)  loss_by_W_label_hidden_1[i,j] = loss_label_by_W_label_hidden_1[i,j]/2
(210)  loss_label_by_b_label[i] = sum_b logsumexp_label_by_b_label[T-1,b,i]/B
           - sum_b,j target_label[b,j]*n_label_by_b_label[T-1,b,j,i]/B
(211)  loss_by_b_label[i] = loss_label_by_b_label[i]/2
(212)  chunk_loss_position = sum_t,b,i (position[t,b,i] - target_position[t,b,i])^2/(B*N_position*total_steps) [t >= skip]
(213)  chunk_loss_label = sum_b ends*logsumexp_label[T-1,b]/B
           - sum_b,i ends*target_label[b,i]*n_label[T-1,b,i]/B
(214)  chunk_loss = chunk_loss_position + chunk_loss_label/2
(215)  chunk_objective = chunk_loss + sum_k,b,i carry_hidden[k,b,i]*hidden[k+T-1,b,i]
           + sum_k,b,i carry_position[k,b,i]*position[k+T-3,b,i]
(216)  chunk_objective_per_n_label[t,b,i] = ends*(label[t,b,i] - target_label[b,i])/(2*B) [t = T-1]
(217)  chunk_objective_per_position[t,b,i] = carry_position[t-T+3,b,i] [t >= T-3]
           + 2*(position[t,b,i] - target_position[t,b,i])/(B*N_position*total_steps) [t >= skip]
           + sum_j W_hidden_position_1[j,i]*chunk_objective_per_n_hidden[t+1,b,j] [t <= T-2]
           + sum_j W_hidden_position_3[j,i]*chunk_objective_per_n_hidden[t+3,b,j] [t <= T-4]
(218)  chunk_objective_per_hidden[t,b,i] = carry_hidden[t-T+1,b,i] [t >= T-1]
           + sum_j W_label_hidden[j,i]*chunk_objective_per_n_label[t,b,j]
           + sum_j W_label_hidden_1[j,i]*chunk_objective_per_n_label[t+1,b,j] [t <= T-2]
           + sum_j W_position_hidden[j,i]*chunk_objective_per_position[t,b,j]
           + sum_j W_hidden_hidden_1[j,i]*chunk_objective_per_n_hidden[t+1,b,j] [t <= T-2]
(219)  chunk_objective_per_n_hidden[t,b,i] = chunk_objective_per_hidden[t,b,i]*(1 - hidden[t,b,i]^2)
(220)  chunk_objective_per_W_hidden_x[i,j] = sum_t,b chunk_objective_per_n_hidden[t,b,i]*x[t,b,j]
(221)  chunk_objective_per_W_hidden_x_2[i,j] = sum_t,b chunk_objective_per_n_hidden[t,b,i]*x[t-2,b,j]
(222)  chunk_objective_per_W_hidden_hidden_1[i,j] = sum_t,b chunk_objective_per_n_hidden[t,b,i]*hidden[t-1,b,j]
(223)  chunk_objective_per_W_hidden_position_1[i,j] = sum_t,b chunk_objective_per_n_hidden[t,b,i]*position[t-1,b,j]
(224)  chunk_objective_per_W_hidden_position_3[i,j] = sum_t,b chunk_objective_per_n_hidden[t,b,i]*position[t-3,b,j]
(225)  chunk_objective_per_b_hidden[i] = sum_t,b chunk_objective_per_n_hidden[t,b,i]
(226)  chunk_objective_per_W_position_hidden[i,j] = sum_t,b chunk_objective_per_position[t,b,i]*hidden[t,b,j]
(227)  chunk_objective_per_b_position[i] = sum_t,b chunk_objective_per_position[t,b,i]
(228)  chunk_objective_per_W_label_hidden[i,j] = sum_t,b chunk_objective_per_n_label[t,b,i]*hidden[t,b,j]
(229)  chunk_objective_per_W_label_hidden_1[i,j] = sum_t,b chunk_objective_per_n_label[t,b,i]*hidden[t-1,b,j]
(230)  chunk_objective_per_b_label[i] = sum_t,b chunk_objective_per_n_label[t,b,i]
(231)  chunk_objective_per_initial_hidden[k,b,i] = sum_j W_label_hidden_1[j,i]*chunk_objective_per_n_label[k,b,j]
           + sum_j W_hidden_hidden_1[j,i]*chunk_objective_per_n_hidden[k,b,j]
(232)  chunk_objective_per_initial_position[k,b,i] = carry_position[k-T,b,i] [k >= T]
           + sum_j W_hidden_position_1[j,i]*chunk_objective_per_n_hidden[k-2,b,j] [k >= 2]
           + sum_j W_hidden_position_3[j,i]*chunk_objective_per_n_hidden[k,b,j] [k <= T-1]

Generated by bptt from a topology file. This module needs NumPy and nothing else.
"""

import numpy as np

# Parameters, with their shapes.
PARAMETERS = {
    "W_hidden_x": (3, 2),
    "W_hidden_x_2": (3, 2),
    "W_hidden_hidden_1": (3, 3),
    "W_hidden_position_1": (3, 1),
    "W_hidden_position_3": (3, 1),
    "b_hidden": (3,),
    "W_position_hidden": (1, 3),
    "b_position": (1,),
    "W_label_hidden": (2, 3),
    "W_label_hidden_1": (2, 3),
    "b_label": (2,),
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
    "position": ("T", "B", 1),
    "label": ("T", "B", 2),
}
TARGETS = {
    "position": ("T", "B", 1),
    "label": ("B", 2),
}
MASKS = ()
CLASSES = ("label",)
WEIGHTED = {}

# The losses of each output: their kinds with their weights; which steps they judge, and the mask
# that says so, if any; whether they are of the differences between output and target, which are
# in the same units then, and whether they are sums of squares.
LOSSES = {
    "position": {
        "kinds": {"mse": 1}, "steps": "all", "mask": None, "differences": True, "squares": True
    },
    "label": {
        "kinds": {"cross_entropy": 0.5},
        "steps": "last",
        "mask": None,
        "differences": False,
        "squares": False,
    },
}

# Values outside the given steps, with their shapes: those before the first step in
# chronological order, or those after the last for what runs backward in time. Zero unless given.
# AFTER lists those after the last step, with the signal that they belong to.
INITIAL = {
    "x": (2, "B", 2),
    "hidden": (1, "B", 3),
    "position": (3, "B", 1),
}
AFTER = {}

# Layers, with the parameters that stand together in each of their net inputs.
LAYERS = {
    "hidden": (
        (
            "W_hidden_x",
            "W_hidden_x_2",
            "W_hidden_hidden_1",
            "W_hidden_position_1",
            "W_hidden_position_3",
            "b_hidden",
        ),
    ),
    "position": (
        ("W_position_hidden", "b_position"),
    ),
    "label": (
        ("W_label_hidden", "W_label_hidden_1", "b_label"),
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
        "hidden": arrays["hidden"][1 : 1 + T],
        "position": arrays["position"][3 : 3 + T],
        "label": arrays["label"],
    }


def loss(parameters, inputs, targets, initial=None, weights=None):
    """The loss, a number:

    the weighted sum of
      1 * loss_position: mean over steps, sequences and units of (position - target_position)^2
      0.5 * loss_label: mean over sequences, at the last step, of -sum(target_label*log(label))
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


def jvp(parameters, inputs, directions, initial=None):
    """The derivatives of all signals along a direction, as a dict of arrays by name.

    directions: arrays for any parameters, inputs (but masks), or initial values, the latter under
    "initial_" + name; what is left out does not move.
    """
    arrays, T, B, dtype = _prepare(parameters, inputs, initial, judge=False, steps=None)
    shapes = {**PARAMETERS, **{n: s for n, s in INPUTS.items() if n not in MASKS}}
    shapes.update(("initial_" + n, INITIAL[n]) for n in _INITIAL_GRADIENTS)
    found = _directions("directions", directions, shapes, {"T": T, "B": B}, dtype)
    named = {
        "x": "dot_x",
        "W_hidden_x": "dot_W_hidden_x",
        "W_hidden_x_2": "dot_W_hidden_x_2",
        "W_hidden_hidden_1": "dot_W_hidden_hidden_1",
        "W_hidden_position_1": "dot_W_hidden_position_1",
        "W_hidden_position_3": "dot_W_hidden_position_3",
        "b_hidden": "dot_b_hidden",
        "W_position_hidden": "dot_W_position_hidden",
        "b_position": "dot_b_position",
        "W_label_hidden": "dot_W_label_hidden",
        "W_label_hidden_1": "dot_W_label_hidden_1",
        "b_label": "dot_b_label",
    }
    arrays.update((named.get(n, ("direction", n)), array) for n, array in found.items())
    given = arrays["dot_x"]
    arrays["dot_x"] = _extended(
        T, (B, 2), arrays.get(("direction", "initial_x")), 2, None, 0, dtype
    )
    arrays["dot_x"][2 : 2 + T] = given
    _forward(arrays, T, B, dtype)
    _tangents(arrays, T, B, dtype)
    return {
        "hidden": arrays["dot_hidden"][1 : 1 + T],
        "position": arrays["dot_position"][3 : 3 + T],
        "label": arrays["dot_label"],
    }


def jacobian(parameters, inputs, initial=None, mode=None):
    """The derivative of every output at every step by every parameter.

    Returns {output: {parameter: array}}, each array with the output's axes, then the parameter's.
    By forward sensitivities (mode "forward") or by the adjoints of every output ("backward");
    without a mode by the cheaper one. Their costs, as numbers of products:

    forward:  B*N_hidden**4*T + 2*B*N_hidden**3*N_label*T + 6*B*N_hidden**3*N_position*T +
        2*B*N_hidden**3*N_x*T + 2*B*N_hidden**3*T + 6*B*N_hidden**2*N_label*N_position*T +
        4*B*N_hidden**2*N_label*N_x*T + 4*B*N_hidden**2*N_label*T +
        9*B*N_hidden**2*N_position**2*T + 6*B*N_hidden**2*N_position*N_x*T +
        7*B*N_hidden**2*N_position*T + 2*B*N_hidden**2*N_x*T + 2*B*N_hidden**2*T +
        4*B*N_hidden*N_label**2*T + 8*B*N_hidden*N_label*N_position*T +
        4*B*N_hidden*N_label*N_x*T + 4*B*N_hidden*N_label*T + 3*B*N_hidden*N_position**2*T +
        4*B*N_hidden*N_position*T + 2*B*N_hidden*N_x*T + B*N_hidden*T + 2*B*N_label**2*T +
        2*B*N_label*N_position*T + B*N_label*T + B*N_position*T
    backward: 2*B*N_hidden**2*N_label*T**2 + 2*B*N_hidden**2*N_position*T**2 +
        4*B*N_hidden*N_label**2*T**2 + 6*B*N_hidden*N_label*N_position*T**2 +
        2*B*N_hidden*N_label*N_x*T**2 + 2*B*N_hidden*N_label*T**2 +
        6*B*N_hidden*N_position**2*T**2 + 2*B*N_hidden*N_position*N_x*T**2 +
        2*B*N_hidden*N_position*T**2 + 3*B*N_label**2*T**2 + B*N_label*N_position*T**2 +
        B*N_label*T + B*N_position**2*T**2 + B*N_position*T
    """
    arrays, T, B, dtype = _prepare(parameters, inputs, initial, judge=False, steps=None)
    way = _chosen_mode(mode, 1362*B*T, 225*B*T**2 + 3*B*T)
    _forward(arrays, T, B, dtype)
    ways = {"forward": _sensitivities, "backward": _output_adjoints}
    ways[way](arrays, T, B, dtype)
    before = {
        "position_by_W_hidden_x": 3,
        "position_by_W_hidden_x_2": 3,
        "position_by_W_hidden_hidden_1": 3,
        "position_by_W_hidden_position_1": 3,
        "position_by_W_hidden_position_3": 3,
        "position_by_b_hidden": 3,
        "position_by_W_position_hidden": 3,
        "position_by_b_position": 3,
    }
    return _elements(arrays, _ELEMENTS[way], OUTPUTS, before, {"T": T, "B": B}, dtype)


# The names of the derivatives of the outputs by the parameters.
_ELEMENTS = {
    "forward": {
        "position": {
            "W_hidden_x": "position_by_W_hidden_x",
            "W_hidden_x_2": "position_by_W_hidden_x_2",
            "W_hidden_hidden_1": "position_by_W_hidden_hidden_1",
            "W_hidden_position_1": "position_by_W_hidden_position_1",
            "W_hidden_position_3": "position_by_W_hidden_position_3",
            "b_hidden": "position_by_b_hidden",
            "W_position_hidden": "position_by_W_position_hidden",
            "b_position": "position_by_b_position",
        },
        "label": {
            "W_hidden_x": "label_by_W_hidden_x",
            "W_hidden_x_2": "label_by_W_hidden_x_2",
            "W_hidden_hidden_1": "label_by_W_hidden_hidden_1",
            "W_hidden_position_1": "label_by_W_hidden_position_1",
            "W_hidden_position_3": "label_by_W_hidden_position_3",
            "b_hidden": "label_by_b_hidden",
            "W_position_hidden": "label_by_W_position_hidden",
            "b_position": "label_by_b_position",
            "W_label_hidden": "label_by_W_label_hidden",
            "W_label_hidden_1": "label_by_W_label_hidden_1",
            "b_label": "label_by_b_label",
        },
    },
    "backward": {
        "position": {
            "W_hidden_x": "position_per_W_hidden_x",
            "W_hidden_x_2": "position_per_W_hidden_x_2",
            "W_hidden_hidden_1": "position_per_W_hidden_hidden_1",
            "W_hidden_position_1": "position_per_W_hidden_position_1",
            "W_hidden_position_3": "position_per_W_hidden_position_3",
            "b_hidden": "position_per_b_hidden",
            "W_position_hidden": "position_per_W_position_hidden",
            "b_position": "position_per_b_position",
            "W_label_hidden": "position_per_W_label_hidden",
            "W_label_hidden_1": "position_per_W_label_hidden_1",
            "b_label": "position_per_b_label",
        },
        "label": {
            "W_hidden_x": "label_per_W_hidden_x",
            "W_hidden_x_2": "label_per_W_hidden_x_2",
            "W_hidden_hidden_1": "label_per_W_hidden_hidden_1",
            "W_hidden_position_1": "label_per_W_hidden_position_1",
            "W_hidden_position_3": "label_per_W_hidden_position_3",
            "b_hidden": "label_per_b_hidden",
            "W_position_hidden": "label_per_W_position_hidden",
            "b_position": "label_per_b_position",
            "W_label_hidden": "label_per_W_label_hidden",
            "W_label_hidden_1": "label_per_W_label_hidden_1",
            "b_label": "label_per_b_label",
        },
    },
}


def hessian_vector(parameters, inputs, targets, vector, initial=None, weights=None):
    """The product of the loss's Hessian by the parameters with a vector.

    vector, and what is returned: dicts of arrays as PARAMETERS says.
    """
    arrays, T, B, dtype = _prepare(parameters, inputs, initial, targets, weights)
    found = _directions("vector", vector, PARAMETERS, {"T": T, "B": B}, dtype)
    arrays.update((_VECTOR[name], array) for name, array in found.items())
    _forward(arrays, T, B, dtype)
    _loss(arrays, T, B, dtype)
    _backward(arrays, T, B, dtype)
    _directional(arrays, T, B, dtype)
    _hessian_products(arrays, T, B, dtype)
    products = {
        "W_hidden_x": "R_d_W_hidden_x",
        "W_hidden_x_2": "R_d_W_hidden_x_2",
        "W_hidden_hidden_1": "R_d_W_hidden_hidden_1",
        "W_hidden_position_1": "R_d_W_hidden_position_1",
        "W_hidden_position_3": "R_d_W_hidden_position_3",
        "b_hidden": "R_d_b_hidden",
        "W_position_hidden": "R_d_W_position_hidden",
        "b_position": "R_d_b_position",
        "W_label_hidden": "R_d_W_label_hidden",
        "W_label_hidden_1": "R_d_W_label_hidden_1",
        "b_label": "R_d_b_label",
    }
    return {
        name: arrays[products[name]] if name in products else np.zeros(shape, dtype)
        for name, shape in PARAMETERS.items()
    }


def gauss_newton_vector(parameters, inputs, targets, vector, initial=None, weights=None):
    """The product of the Gauss-Newton matrix J' H J with a vector.

    J is the derivative of what the losses judge by the parameters, H the losses' Hessian by it.
    vector, and what is returned: dicts of arrays as PARAMETERS says.
    """
    arrays, T, B, dtype = _prepare(parameters, inputs, initial, targets, weights)
    found = _directions("vector", vector, PARAMETERS, {"T": T, "B": B}, dtype)
    arrays.update((_VECTOR[name], array) for name, array in found.items())
    _forward(arrays, T, B, dtype)
    _loss(arrays, T, B, dtype)
    _directional(arrays, T, B, dtype)
    _gauss_newton_products(arrays, T, B, dtype)
    products = {
        "W_hidden_x": "curvature_per_W_hidden_x",
        "W_hidden_x_2": "curvature_per_W_hidden_x_2",
        "W_hidden_hidden_1": "curvature_per_W_hidden_hidden_1",
        "W_hidden_position_1": "curvature_per_W_hidden_position_1",
        "W_hidden_position_3": "curvature_per_W_hidden_position_3",
        "b_hidden": "curvature_per_b_hidden",
        "W_position_hidden": "curvature_per_W_position_hidden",
        "b_position": "curvature_per_b_position",
        "W_label_hidden": "curvature_per_W_label_hidden",
        "W_label_hidden_1": "curvature_per_W_label_hidden_1",
        "b_label": "curvature_per_b_label",
    }
    return {
        name: arrays[products[name]] if name in products else np.zeros(shape, dtype)
        for name, shape in PARAMETERS.items()
    }


def rtrl(parameters, inputs, targets, initial=None, weights=None):
    """The loss and the parameters' gradients in one pass forward in time.

    Real-time recurrent learning: the sensitivities of all signals by all parameters are carried
    from step to step, and no step is kept for a pass backward. Numbers of products, here and in
    loss_and_gradients:

    here: B*N_hidden**4*T + B*N_hidden**3*N_label*T + 6*B*N_hidden**3*N_position*T +
        2*B*N_hidden**3*N_x*T + 2*B*N_hidden**3*T + 5*B*N_hidden**2*N_label*N_position*T +
        2*B*N_hidden**2*N_label*N_x*T + 3*B*N_hidden**2*N_label*T + B*N_hidden**2*N_label +
        11*B*N_hidden**2*N_position**2*T + 6*B*N_hidden**2*N_position*N_x*T +
        12*B*N_hidden**2*N_position*T + 2*B*N_hidden**2*N_x*T + 6*B*N_hidden**2*T +
        B*N_hidden**2 + 2*B*N_hidden*N_label**2 + 6*B*N_hidden*N_label*N_position**2*T +
        4*B*N_hidden*N_label*N_position*N_x*T + 7*B*N_hidden*N_label*N_position*T +
        3*B*N_hidden*N_label*N_position + 2*B*N_hidden*N_label*N_x*T +
        2*B*N_hidden*N_label*N_x + 11*B*N_hidden*N_label*T + 3*B*N_hidden*N_label +
        6*B*N_hidden*N_position**3*T + 4*B*N_hidden*N_position**2*N_x*T +
        18*B*N_hidden*N_position**2*T + 8*B*N_hidden*N_position*N_x*T +
        18*B*N_hidden*N_position*T + 3*B*N_hidden*N_position + 6*B*N_hidden*N_x*T +
        2*B*N_hidden*N_x + 5*B*N_hidden*T + B*N_hidden + B*N_label**2 +
        2*B*N_label*N_position**2*T + B*N_label*N_position + 6*B*N_label*T + 2*B*N_label +
        2*B*N_position**3*T + 3*B*N_position**2*T + 3*B*N_position*T + B*N_position + B +
        2*N_hidden**2 + 2*N_hidden*N_label + 6*N_hidden*N_position + 4*N_hidden*N_x +
        2*N_hidden + N_label + 2*N_position + 2
    there: 3*B*N_hidden**2*T + B*N_hidden**2 + 6*B*N_hidden*N_label*T + B*N_hidden*N_label +
        9*B*N_hidden*N_position*T + 6*B*N_hidden*N_position + 6*B*N_hidden*N_x*T +
        2*B*N_hidden*N_x + 4*B*N_hidden*T + 4*B*N_label*T + 2*B*N_label + 4*B*N_position*T +
        B + 2
    """
    arrays, T, B, dtype = _prepare(parameters, inputs, initial, targets, weights)
    _online(arrays, T, B, dtype)
    zeros = {name: np.zeros(shape, dtype) for name, shape in PARAMETERS.items()}
    names = {
        "W_hidden_x": "loss_by_W_hidden_x",
        "W_hidden_x_2": "loss_by_W_hidden_x_2",
        "W_hidden_hidden_1": "loss_by_W_hidden_hidden_1",
        "W_hidden_position_1": "loss_by_W_hidden_position_1",
        "W_hidden_position_3": "loss_by_W_hidden_position_3",
        "b_hidden": "loss_by_b_hidden",
        "W_position_hidden": "loss_by_W_position_hidden",
        "b_position": "loss_by_b_position",
        "W_label_hidden": "loss_by_W_label_hidden",
        "W_label_hidden_1": "loss_by_W_label_hidden_1",
        "b_label": "loss_by_b_label",
    }
    return arrays["loss"], {n: arrays.get(names.get(n), zeros[n]) for n in PARAMETERS}


def truncated_loss_and_gradients(
    parameters, inputs, targets, k1, k2, initial=None, weights=None
):
    """The loss, and its gradients by truncated backpropagation through time.

    After every k1 steps the loss of these steps is taken back through k2 steps (k2 >= k1); the
    states are carried from step to step throughout. With k2 of the sequence's length or more
    the gradients are those of loss_and_gradients.
    """
    if k1 < 1 or k2 < k1:
        raise ValueError(f"k1 is {k1} and k2 is {k2}; 1 <= k1 <= k2 is needed")
    whole = _prepare(parameters, inputs, initial, targets, weights, whole=False)
    T, B, dtype = whole[1:]
    state, at = {n: whole[0]["before", n] for n in _STATES}, 0
    loss, gradients = dtype.type(0), {n: np.zeros(s, dtype) for n, s in PARAMETERS.items()}
    for counted in range(0, T, k1):
        stop = min(counted + k1, T)
        start = max(0, stop - k2)
        if start > at:
            arrays = _part_of(whole, at, start, state, 0)
            _forward(arrays, start - at, B, dtype)
            state, at = _last_rows(arrays), start
        arrays = _part_of(whole, start, stop, state, counted - start)
        _forward(arrays, stop - start, B, dtype)
        _chunk_loss(arrays, stop - start, B, dtype)
        _chunk_backward(arrays, stop - start, B, dtype)
        loss = loss + arrays["chunk_loss"]
        for name, gradient in gradients.items():
            gradient += arrays[_CHUNK_GRADIENTS[name]]
    return loss, gradients


def checkpointed_loss_and_gradients(
    parameters, inputs, targets, initial=None, weights=None, segment=None
):
    """The loss and the parameters' gradients of a long sequence, in little memory.

    A first pass keeps the states at the end of every segment (of about the root of T steps); the
    second takes the segments from the last, computes each anew and goes back through it.
    """
    whole = _prepare(parameters, inputs, initial, targets, weights, whole=False)
    T, B, dtype = whole[1:]
    segment = max(1, round(T**0.5)) if segment is None else segment
    if segment < 1:
        raise ValueError(f"segment is {segment}; 1 or more steps are needed")
    starts = range(0, T, segment)
    states = [{n: whole[0]["before", n] for n in _STATES}]
    for start in starts[:-1]:
        arrays = _part_of(whole, start, start + segment, states[-1], 0)
        _forward(arrays, segment, B, dtype)
        states.append(_last_rows(arrays))
    loss, gradients = dtype.type(0), {n: np.zeros(s, dtype) for n, s in PARAMETERS.items()}
    carry = {}
    for start, state in zip(reversed(starts), reversed(states)):
        stop = min(start + segment, T)
        arrays = _part_of(whole, start, stop, state, 0)
        arrays.update(carry)
        _forward(arrays, stop - start, B, dtype)
        _chunk_loss(arrays, stop - start, B, dtype)
        _chunk_backward(arrays, stop - start, B, dtype)
        carry = {carried: arrays[start] for carried, start in _CARRIED.values()}
        loss = loss + arrays["chunk_loss"]
        for name, gradient in gradients.items():
            gradient += arrays[_CHUNK_GRADIENTS[name]]
    return loss, gradients


def step(parameters, state, inputs):
    """One step: the signals, and the state for the next one.

    inputs: arrays as INPUTS says, without the axis T; state: as INITIAL says, {} or None for
    zeros. What forward computes for a sequence, step by step.
    """
    one = {
        n: np.asarray(a)[None] if INPUTS.get(n, ("",))[0] == "T" else a
        for n, a in (inputs.items() if isinstance(inputs, dict) else ())
    }
    state = {} if state is None else dict(state)
    arrays, T, B, dtype = _prepare(parameters, one, state, judge=False)
    _forward(arrays, T, B, dtype)
    signals = {
        "hidden": arrays["hidden"][1],
        "position": arrays["position"][3],
        "label": arrays["label"][0],
    }
    after = {n: arrays[n][-rows[0] :].copy() for n, rows in INITIAL.items()}
    return signals, after


def carried_loss_and_gradients(parameters, state, inputs, targets, weights=None):
    """The loss of a chunk of a long sequence, its gradients, and the state after it.

    state: as INITIAL says, {} or None for zeros; the returned one is for the next chunk. The
    gradients do not reach back into earlier chunks.
    """
    state = {} if state is None else dict(state)
    arrays, T, B, dtype = _prepare(parameters, inputs, state, targets, weights)
    _forward(arrays, T, B, dtype)
    after = {n: arrays[n][-rows[0] :].copy() for n, rows in INITIAL.items()}
    _loss(arrays, T, B, dtype)
    _backward(arrays, T, B, dtype)
    return arrays["loss"], {n: arrays[d_n] for n, d_n in _GRADIENTS.items()}, after


def _directions(group, found, shapes, sizes, dtype):
    """The arrays of a direction, checked; zeros for what is left out."""
    if not isinstance(found, dict):
        raise ValueError(f"{group} is a {type(found).__name__}; a dict of arrays is expected")
    for name in found:
        if name not in shapes:
            raise ValueError(f"{group}[{name!r}] is not known; known are {list(shapes)}")
    arrays = {}
    for name, shape in shapes.items():
        shape = tuple(sizes.get(n, n) for n in shape)
        array = np.asarray(found.get(name, np.zeros(shape)))
        if array.shape != shape:
            raise ValueError(f"{group}[{name!r}] has shape {array.shape}; {shape} is expected")
        arrays[name] = array.astype(dtype)
    return arrays


# The names that arrays hold the elements of a vector by.
_VECTOR = {
    "W_hidden_x": "R_W_hidden_x",
    "W_hidden_x_2": "R_W_hidden_x_2",
    "W_hidden_hidden_1": "R_W_hidden_hidden_1",
    "W_hidden_position_1": "R_W_hidden_position_1",
    "W_hidden_position_3": "R_W_hidden_position_3",
    "b_hidden": "R_b_hidden",
    "W_position_hidden": "R_W_position_hidden",
    "b_position": "R_b_position",
    "W_label_hidden": "R_W_label_hidden",
    "W_label_hidden_1": "R_W_label_hidden_1",
    "b_label": "R_b_label",
}


def _chosen_mode(mode, forward, backward):
    """The mode, or the one that costs less."""
    if mode not in (None, "forward", "backward"):
        raise ValueError(f"mode is {mode!r}; 'forward', 'backward' or None are possible")
    return mode or ("forward" if forward <= backward else "backward")


def _elements(arrays, names, shapes, before, sizes, dtype):
    """The derivatives of signals by parameters, without rows before the first step."""
    found = {}
    for signal, axes in shapes.items():
        found[signal] = {}
        for name, shape in PARAMETERS.items():
            key, size = names[signal].get(name), tuple(sizes.get(n, n) for n in axes)
            if key in before:
                arrays[key] = arrays[key][before[key] : before[key] + size[0]]
            is_known = key in arrays
            found[signal][name] = arrays[key] if is_known else np.zeros((*size, *shape), dtype)
    return found


# Rows before the first step: of what is given for every step, and of the states. Of what is
# carried on, where its derivative is put, and where the part before finds it.
_GIVEN = {"x": 2, "target_position": 0}
_STATES = {"hidden": 1, "position": 3}
_CARRIED = {
    "hidden": ("carry_hidden", "chunk_objective_per_initial_hidden"),
    "position": ("carry_position", "chunk_objective_per_initial_position"),
}
_CHUNK_GRADIENTS = {
    "W_hidden_x": "chunk_objective_per_W_hidden_x",
    "W_hidden_x_2": "chunk_objective_per_W_hidden_x_2",
    "W_hidden_hidden_1": "chunk_objective_per_W_hidden_hidden_1",
    "W_hidden_position_1": "chunk_objective_per_W_hidden_position_1",
    "W_hidden_position_3": "chunk_objective_per_W_hidden_position_3",
    "b_hidden": "chunk_objective_per_b_hidden",
    "W_position_hidden": "chunk_objective_per_W_position_hidden",
    "b_position": "chunk_objective_per_b_position",
    "W_label_hidden": "chunk_objective_per_W_label_hidden",
    "W_label_hidden_1": "chunk_objective_per_W_label_hidden_1",
    "b_label": "chunk_objective_per_b_label",
}


def _part_of(whole, start, stop, state, skip):
    """The arrays of the steps start..stop-1 of a sequence, ready for _forward."""
    arrays, T, B, dtype = whole
    part = {n: a for n, a in arrays.items() if n not in _GIVEN}
    for name, rows in _GIVEN.items():
        part[name] = arrays[name][start : stop + rows]
    for name, rows in _STATES.items():
        shape = arrays["before", name].shape[1:]
        part[name] = _extended(stop - start, shape, state[name], rows, None, 0, dtype)
    for name, (carried, _) in _CARRIED.items():
        rows = _STATES.get(name, 0) or _GIVEN[name]
        part[carried] = np.zeros((rows, *part[name].shape[1:]), dtype)
    part["total_steps"] = dtype.type(T)
    part["ends"] = dtype.type(stop == T)
    part["skip"] = skip
    part["first step"] = start
    return part


def _last_rows(arrays):
    """The states after the last step, as the next part reads them before its first."""
    return {name: arrays[name][-rows:].copy() for name, rows in _STATES.items()}


# The derived equations. `arrays` holds every array by name.


def _forward(arrays, T, B, dtype):
    """The signals, forward in time."""
    x = arrays["x"]
    hidden = arrays["hidden"]
    position = arrays["position"]
    W_hidden_x = arrays["W_hidden_x"]
    W_hidden_x_2 = arrays["W_hidden_x_2"]
    W_hidden_hidden_1 = arrays["W_hidden_hidden_1"]
    W_hidden_position_1 = arrays["W_hidden_position_1"]
    W_hidden_position_3 = arrays["W_hidden_position_3"]
    b_hidden = arrays["b_hidden"]
    W_position_hidden = arrays["W_position_hidden"]
    b_position = arrays["b_position"]
    W_label_hidden = arrays["W_label_hidden"]
    W_label_hidden_1 = arrays["W_label_hidden_1"]
    b_label = arrays["b_label"]

    n_hidden = (_rows(x[2:]) @ W_hidden_x.T).reshape(-1, B, 3)  # (1) ij,tbj->tbi
    n_hidden += (_rows(x[:T]) @ W_hidden_x_2.T).reshape(-1, B, 3)  # (1) ij,tbj->tbi
    n_hidden += b_hidden  # (1)
    position[3:] = b_position  # (3)
    for t in range(T):
        n_hidden_t = n_hidden[t]
        n_hidden_t += hidden[t] @ W_hidden_hidden_1.T  # (1) ij,bj->bi
        n_hidden_t += position[t + 2] @ W_hidden_position_1.T  # (1) ij,bj->bi
        n_hidden_t += position[t] @ W_hidden_position_3.T  # (1) ij,bj->bi
        hidden_t = np.tanh(n_hidden_t, out=hidden[t + 1])  # (2)
        position_t = position[t + 3]
        position_t += hidden_t @ W_position_hidden.T  # (3) ij,bj->bi
    n_label = (_rows(hidden[1:]) @ W_label_hidden.T).reshape(-1, B, 2)  # (4) ij,tbj->tbi
    n_label += (_rows(hidden[:T]) @ W_label_hidden_1.T).reshape(-1, B, 2)  # (4) ij,tbj->tbi
    n_label += b_label  # (4)
    logsumexp_label = _logsumexp(n_label, axis=2)  # (5)
    logsumexp_label_minus_n_label = n_label - logsumexp_label[:, :, None]  # (6)
    label = np.exp(logsumexp_label_minus_n_label)  # (6)
    arrays["n_label"] = n_label
    arrays["logsumexp_label"] = logsumexp_label
    arrays["label"] = label


def _loss(arrays, T, B, dtype):
    """The losses, and what only they need."""
    position = arrays["position"]
    n_label = arrays["n_label"]
    logsumexp_label = arrays["logsumexp_label"]
    target_position = arrays["target_position"]
    target_label = arrays["target_label"]

    error_position = position[3:] - target_position  # (7)
    loss_position = 1 / (B * T) * (error_position.ravel() @ error_position.ravel())  # (7) tbi->
    loss_label = (  # (8) b->, bi->
        1 / B * logsumexp_label[T - 1].sum()
        - 1 / B * (target_label * n_label[T - 1]).sum()
    )
    loss = loss_position + loss_label / 2  # (9)
    arrays["error_position"] = error_position
    arrays["loss_position"] = loss_position
    arrays["loss_label"] = loss_label
    arrays["loss"] = loss


def _backward(arrays, T, B, dtype):
    """Adjoints, and the parameters' gradients."""
    x = arrays["x"]
    hidden = arrays["hidden"]
    position = arrays["position"]
    label = arrays["label"]
    W_hidden_hidden_1 = arrays["W_hidden_hidden_1"]
    W_hidden_position_1 = arrays["W_hidden_position_1"]
    W_hidden_position_3 = arrays["W_hidden_position_3"]
    W_position_hidden = arrays["W_position_hidden"]
    W_label_hidden = arrays["W_label_hidden"]
    W_label_hidden_1 = arrays["W_label_hidden_1"]
    target_label = arrays["target_label"]
    error_position = arrays["error_position"]

    d = np.zeros((T, B, 6), dtype)
    d_n_label = d[:, :, 3:5]
    d_position = d[:, :, 5:6]
    d_n_hidden = d[:, :, :3]
    d_n_label[T - 1:] += 1 / (2 * B) * (label[T - 1:] - target_label)  # (10)
    d_position[...] = 2 / (B * T) * error_position  # (11)
    d_hidden = (_rows(d_n_label) @ W_label_hidden).reshape(-1, B, 3)  # (12) ij,tbj->tbi
    d_hidden[:T - 1] += (  # (12) ij,tbj->tbi
        (_rows(d_n_label[1:]) @ W_label_hidden_1).reshape(-1, B, 3)
    )
    d_n_hidden_per_d_hidden = 1 - hidden[1:] ** 2  # (13)
    for t in range(T - 1, -1, -1):
        d_position_t = d_position[t]
        if t < T - 1:
            d_position_t += d_n_hidden[t + 1] @ W_hidden_position_1  # (11) ij,bj->bi
        if t < T - 3:
            d_position_t += d_n_hidden[t + 3] @ W_hidden_position_3  # (11) ij,bj->bi
        d_hidden_t = d_hidden[t]
        d_hidden_t += d_position_t @ W_position_hidden  # (12) ij,bj->bi
        if t < T - 1:
            d_hidden_t += d_n_hidden[t + 1] @ W_hidden_hidden_1  # (12) ij,bj->bi
        d_n_hidden_t = np.multiply(  # (13)
            d_hidden_t, d_n_hidden_per_d_hidden[t], out=d_n_hidden[t]
        )
    d_W_hidden_x = _rows(d_n_hidden).T @ _rows(x[2:])  # (15) tbi,tbj->ij
    d_W_hidden_x_2 = _rows(d_n_hidden).T @ _rows(x[:T])  # (16) tbi,tbj->ij
    d_W_hidden_position_1 = _rows(d_n_hidden).T @ _rows(position[2:T + 2])  # (18) tbi,tbj->ij
    d_W_hidden_position_3 = _rows(d_n_hidden).T @ _rows(position[:T])  # (19) tbi,tbj->ij
    d_W_position_hidden = _rows(d_position).T @ _rows(hidden[1:])  # (21) tbi,tbj->ij
    d_W_label_hidden = _rows(d_n_label).T @ _rows(hidden[1:])  # (23) tbi,tbj->ij
    d_W_hidden_1 = _rows(d[:, :, :5]).T @ _rows(hidden[:T])  # (17) (24) tbi,tbj->ij
    d_W_hidden_hidden_1 = d_W_hidden_1[:3]
    d_W_label_hidden_1 = d_W_hidden_1[3:5]
    d_b = d.sum(axis=(0, 1))  # (20) (22) (25) tbi->i
    d_b_hidden = d_b[:3]
    d_b_position = d_b[5:6]
    d_b_label = d_b[3:5]
    arrays["d_n_label"] = d_n_label
    arrays["d_position"] = d_position
    arrays["d_hidden"] = d_hidden
    arrays["d_n_hidden"] = d_n_hidden
    arrays["d_W_hidden_x"] = d_W_hidden_x
    arrays["d_W_hidden_x_2"] = d_W_hidden_x_2
    arrays["d_W_hidden_hidden_1"] = d_W_hidden_hidden_1
    arrays["d_W_hidden_position_1"] = d_W_hidden_position_1
    arrays["d_W_hidden_position_3"] = d_W_hidden_position_3
    arrays["d_b_hidden"] = d_b_hidden
    arrays["d_W_position_hidden"] = d_W_position_hidden
    arrays["d_b_position"] = d_b_position
    arrays["d_W_label_hidden"] = d_W_label_hidden
    arrays["d_W_label_hidden_1"] = d_W_label_hidden_1
    arrays["d_b_label"] = d_b_label
    arrays["d"] = d


def _input_gradients(arrays, T, B, dtype):
    """The gradients of the inputs."""
    W_hidden_x = arrays["W_hidden_x"]
    W_hidden_x_2 = arrays["W_hidden_x_2"]
    d_n_hidden = arrays["d_n_hidden"]

    d_x = (_rows(d_n_hidden) @ W_hidden_x).reshape(-1, B, 2)  # (14) ij,tbj->tbi
    d_x[:max(T - 2, 0)] += (  # (14) ij,tbj->tbi
        (_rows(d_n_hidden[2:]) @ W_hidden_x_2).reshape(-1, B, 2)
    )
    arrays["d_x"] = d_x


def _initial_gradients(arrays, T, B, dtype):
    """The gradients of values outside the steps."""
    W_hidden_x_2 = arrays["W_hidden_x_2"]
    W_hidden_hidden_1 = arrays["W_hidden_hidden_1"]
    W_hidden_position_1 = arrays["W_hidden_position_1"]
    W_hidden_position_3 = arrays["W_hidden_position_3"]
    W_label_hidden_1 = arrays["W_label_hidden_1"]
    d_n_hidden = arrays["d_n_hidden"]
    d = arrays["d"]

    W_hidden_1 = np.concatenate((W_hidden_hidden_1, W_label_hidden_1))
    d_initial_x = np.zeros((2, B, 2), dtype)
    d_initial_x[:min(2, T)] += (  # (26) ij,kbj->kbi
        (_rows(d_n_hidden[:min(2, T)]) @ W_hidden_x_2).reshape(-1, B, 2)
    )
    d_initial_hidden = (_rows(d[:1, :, :5]) @ W_hidden_1).reshape(-1, B, 3)  # (27) ij,kbj->kbi
    d_initial_position = np.zeros((3, B, 1), dtype)
    d_initial_position[2:] += (  # (28) ij,kbj->kbi
        (_rows(d_n_hidden[:1]) @ W_hidden_position_1).reshape(-1, B, 1)
    )
    d_initial_position[:min(3, T)] += (  # (28) ij,kbj->kbi
        (_rows(d_n_hidden[:min(3, T)]) @ W_hidden_position_3).reshape(-1, B, 1)
    )
    arrays["d_initial_x"] = d_initial_x
    arrays["d_initial_hidden"] = d_initial_hidden
    arrays["d_initial_position"] = d_initial_position


def _tangents(arrays, T, B, dtype):
    """Tangents of the signals."""
    x = arrays["x"]
    hidden = arrays["hidden"]
    position = arrays["position"]
    label = arrays["label"]
    W_hidden_x = arrays["W_hidden_x"]
    W_hidden_x_2 = arrays["W_hidden_x_2"]
    W_hidden_hidden_1 = arrays["W_hidden_hidden_1"]
    W_hidden_position_1 = arrays["W_hidden_position_1"]
    W_hidden_position_3 = arrays["W_hidden_position_3"]
    W_position_hidden = arrays["W_position_hidden"]
    W_label_hidden = arrays["W_label_hidden"]
    W_label_hidden_1 = arrays["W_label_hidden_1"]
    dot_x = arrays["dot_x"]
    dot_W_hidden_x = arrays["dot_W_hidden_x"]
    dot_W_hidden_x_2 = arrays["dot_W_hidden_x_2"]
    dot_W_hidden_hidden_1 = arrays["dot_W_hidden_hidden_1"]
    dot_W_hidden_position_1 = arrays["dot_W_hidden_position_1"]
    dot_W_hidden_position_3 = arrays["dot_W_hidden_position_3"]
    dot_b_hidden = arrays["dot_b_hidden"]
    dot_W_position_hidden = arrays["dot_W_position_hidden"]
    dot_b_position = arrays["dot_b_position"]
    dot_W_label_hidden = arrays["dot_W_label_hidden"]
    dot_W_label_hidden_1 = arrays["dot_W_label_hidden_1"]
    dot_b_label = arrays["dot_b_label"]
    dot_hidden = _extended(
        T, (B, 3), arrays.get(("direction", "initial_hidden")), 1, None, 0, dtype
    )
    dot_position = _extended(
        T, (B, 1), arrays.get(("direction", "initial_position")), 3, None, 0, dtype
    )

    dot_W_hidden_1 = np.concatenate((dot_W_hidden_hidden_1, dot_W_label_hidden_1))
    dot_b = np.concatenate((dot_b_hidden, dot_b_label))
    dot_n = np.empty((T, B, 5), dtype)
    dot_n_hidden = dot_n[:, :, :3]
    dot_n_label = dot_n[:, :, 3:5]
    dot_n_hidden[...] = (_rows(x[2:]) @ dot_W_hidden_x.T).reshape(-1, B, 3)  # (29) ij,tbj->tbi
    dot_n_hidden += (_rows(dot_x[2:]) @ W_hidden_x.T).reshape(-1, B, 3)  # (29) ij,tbj->tbi
    dot_n_hidden += (_rows(x[:T]) @ dot_W_hidden_x_2.T).reshape(-1, B, 3)  # (29) ij,tbj->tbi
    dot_n_hidden += (_rows(dot_x[:T]) @ W_hidden_x_2.T).reshape(-1, B, 3)  # (29) ij,tbj->tbi
    dot_n_hidden += (  # (29) ij,tbj->tbi
        (_rows(position[2:T + 2]) @ dot_W_hidden_position_1.T).reshape(-1, B, 3)
    )
    dot_n_hidden += (  # (29) ij,tbj->tbi
        (_rows(position[:T]) @ dot_W_hidden_position_3.T).reshape(-1, B, 3)
    )
    dot_position[3:] = (  # (31) ij,tbj->tbi
        (_rows(hidden[1:]) @ dot_W_position_hidden.T).reshape(-1, B, 1)
    )
    dot_position[3:] += dot_b_position  # (31)
    dot_hidden_per_dot_n_hidden = 1 - hidden[1:] ** 2  # (30)
    dot_n_label[...] = (  # (32) ij,tbj->tbi
        (_rows(hidden[1:]) @ dot_W_label_hidden.T).reshape(-1, B, 2)
    )
    dot_n += (_rows(hidden[:T]) @ dot_W_hidden_1.T).reshape(-1, B, 5)  # (29) (32) ij,tbj->tbi
    dot_n += dot_b  # (29) (32)
    for t in range(T):
        dot_n_hidden_t = dot_n_hidden[t]
        dot_n_hidden_t += dot_hidden[t] @ W_hidden_hidden_1.T  # (29) ij,bj->bi
        dot_n_hidden_t += dot_position[t + 2] @ W_hidden_position_1.T  # (29) ij,bj->bi
        dot_n_hidden_t += dot_position[t] @ W_hidden_position_3.T  # (29) ij,bj->bi
        dot_hidden_t = np.multiply(  # (30)
            dot_n_hidden_t, dot_hidden_per_dot_n_hidden[t], out=dot_hidden[t + 1]
        )
        dot_position_t = dot_position[t + 3]
        dot_position_t += dot_hidden_t @ W_position_hidden.T  # (31) ij,bj->bi
    dot_n_label += (_rows(dot_hidden[1:]) @ W_label_hidden.T).reshape(-1, B, 2)  # (32) ij,tbj->tbi
    dot_n_label += (  # (32) ij,tbj->tbi
        (_rows(dot_hidden[:T]) @ W_label_hidden_1.T).reshape(-1, B, 2)
    )
    dot_logsumexp_label = (dot_n_label * label).sum(axis=2)  # (33) tbi->tb
    dot_label = label * (dot_n_label - dot_logsumexp_label[:, :, None])  # (34)
    arrays["dot_hidden"] = dot_hidden
    arrays["dot_position"] = dot_position
    arrays["dot_label"] = dot_label


def _sensitivities(arrays, T, B, dtype):
    """Sensitivities, forward in time."""
    x = arrays["x"]
    hidden = arrays["hidden"]
    position = arrays["position"]
    label = arrays["label"]
    W_hidden_hidden_1 = arrays["W_hidden_hidden_1"]
    W_hidden_position_1 = arrays["W_hidden_position_1"]
    W_hidden_position_3 = arrays["W_hidden_position_3"]
    W_position_hidden = arrays["W_position_hidden"]
    W_label_hidden = arrays["W_label_hidden"]
    W_label_hidden_1 = arrays["W_label_hidden_1"]

    stacked_n_hidden_by_W_hidden_x = np.zeros((T, B, 3, 12), dtype)
    n_hidden_by_W_hidden_x = stacked_n_hidden_by_W_hidden_x[:, :, :, :6].reshape(T, B, 3, 3, 2)
    n_hidden_by_W_hidden_x_2 = stacked_n_hidden_by_W_hidden_x[:, :, :, 6:12].reshape(T, B, 3, 3, 2)
    np.einsum('tbiik->tbik', n_hidden_by_W_hidden_x)[...] += x[2:][:, :, None, :]  # (35)
    np.einsum('tbiik->tbik', n_hidden_by_W_hidden_x_2)[...] += x[:T][:, :, None, :]  # (41)
    hidden_by_W_hidden_x_per_n_hidden_by_W_hidden_x = 1 - hidden[1:] ** 2  # (36)
    hidden_by_W_hidden_x_2_per_n_hidden_by_W_hidden_x_2 = 1 - hidden[1:] ** 2  # (42)
    hidden_by = np.zeros((T + 1, B, 3, 34), dtype)
    hidden_by_W_hidden_x = hidden_by[:, :, :, :6].reshape(T + 1, B, 3, 3, 2)
    hidden_by_W_hidden_x_2 = hidden_by[:, :, :, 6:12].reshape(T + 1, B, 3, 3, 2)
    hidden_by_W_hidden_hidden_1 = hidden_by[:, :, :, 12:21].reshape(T + 1, B, 3, 3, 3)
    hidden_by_W_hidden_position_1 = hidden_by[:, :, :, 21:24].reshape(T + 1, B, 3, 3, 1)
    hidden_by_W_hidden_position_3 = hidden_by[:, :, :, 24:27].reshape(T + 1, B, 3, 3, 1)
    hidden_by_b_hidden = hidden_by[:, :, :, 27:30]
    hidden_by_W_position_hidden = hidden_by[:, :, :, 30:33].reshape(T + 1, B, 3, 1, 3)
    hidden_by_b_position = hidden_by[:, :, :, 33:34]
    stacked_position_by_W_hidden_x = np.zeros((T + 3, B, 1, 12), dtype)
    position_by_W_hidden_x = stacked_position_by_W_hidden_x[:, :, :, :6].reshape(T + 3, B, 1, 3, 2)
    position_by_W_hidden_x_2 = (
        stacked_position_by_W_hidden_x[:, :, :, 6:12].reshape(T + 3, B, 1, 3, 2)
    )
    for t in range(T):
        stacked_n_hidden_by_W_hidden_x_t = stacked_n_hidden_by_W_hidden_x[t]
        stacked_n_hidden_by_W_hidden_x_t += np.einsum(  # (35) (41) il,bjl->bij
            'il,bjl->bij', W_hidden_hidden_1, hidden_by[t, :, :, :12].transpose(0, 2, 1)
        )
        stacked_n_hidden_by_W_hidden_x_t += np.einsum(  # (35) (41) il,bjl->bij
            'il,bjl->bij',
            W_hidden_position_1,
            stacked_position_by_W_hidden_x[t + 2].transpose(0, 2, 1),
        )
        stacked_n_hidden_by_W_hidden_x_t += np.einsum(  # (35) (41) il,bjl->bij
            'il,bjl->bij',
            W_hidden_position_3,
            stacked_position_by_W_hidden_x[t].transpose(0, 2, 1),
        )
        hidden_by_W_hidden_x_t = np.multiply(  # (36)
            n_hidden_by_W_hidden_x[t],
            hidden_by_W_hidden_x_per_n_hidden_by_W_hidden_x[t][:, :, None, None],
            out=hidden_by_W_hidden_x[t + 1],
        )
        hidden_by_W_hidden_x_2_t = np.multiply(  # (42)
            n_hidden_by_W_hidden_x_2[t],
            hidden_by_W_hidden_x_2_per_n_hidden_by_W_hidden_x_2[t][:, :, None, None],
            out=hidden_by_W_hidden_x_2[t + 1],
        )
        stacked_position_by_W_hidden_x[t + 3] = stacked_position_by_W_hidden_x_t = (  # (37) (43)
            # il,bjl->bij
            np.einsum(
                'il,bjl->bij', W_position_hidden, hidden_by[t + 1, :, :, :12].transpose(0, 2, 1)
            )
        )
    n_hidden_by_W_hidden_1 = np.zeros((T, B, 3, 12), dtype)
    n_hidden_by_W_hidden_hidden_1 = n_hidden_by_W_hidden_1[:, :, :, :9].reshape(T, B, 3, 3, 3)
    n_hidden_by_W_hidden_position_1 = n_hidden_by_W_hidden_1[:, :, :, 9:12].reshape(T, B, 3, 3, 1)
    np.einsum('tbiik->tbik', n_hidden_by_W_hidden_hidden_1)[...] += (  # (47)
        hidden[:T][:, :, None, :]
    )
    np.einsum('tbiik->tbik', n_hidden_by_W_hidden_position_1)[...] += (  # (53)
        position[2:T + 2][:, :, None, :]
    )
    hidden_by_W_hidden_hidden_1_per_n_hidden_by_W_hidden_hidden_1 = 1 - hidden[1:] ** 2  # (48)
    hidden_by_W_hidden_position_1_per_n_hidden_by_W_hidden_position_1 = 1 - hidden[1:] ** 2  # (54)
    position_by_W_hidden_1 = np.zeros((T + 3, B, 1, 12), dtype)
    position_by_W_hidden_hidden_1 = position_by_W_hidden_1[:, :, :, :9].reshape(T + 3, B, 1, 3, 3)
    position_by_W_hidden_position_1 = (
        position_by_W_hidden_1[:, :, :, 9:12].reshape(T + 3, B, 1, 3, 1)
    )
    for t in range(T):
        n_hidden_by_W_hidden_1_t = n_hidden_by_W_hidden_1[t]
        n_hidden_by_W_hidden_1_t += np.einsum(  # (47) (53) il,bjl->bij
            'il,bjl->bij', W_hidden_hidden_1, hidden_by[t, :, :, 12:24].transpose(0, 2, 1)
        )
        n_hidden_by_W_hidden_1_t += np.einsum(  # (47) (53) il,bjl->bij
            'il,bjl->bij', W_hidden_position_1, position_by_W_hidden_1[t + 2].transpose(0, 2, 1)
        )
        n_hidden_by_W_hidden_1_t += np.einsum(  # (47) (53) il,bjl->bij
            'il,bjl->bij', W_hidden_position_3, position_by_W_hidden_1[t].transpose(0, 2, 1)
        )
        hidden_by_W_hidden_hidden_1_t = np.multiply(  # (48)
            n_hidden_by_W_hidden_hidden_1[t],
            hidden_by_W_hidden_hidden_1_per_n_hidden_by_W_hidden_hidden_1[t][:, :, None, None],
            out=hidden_by_W_hidden_hidden_1[t + 1],
        )
        hidden_by_W_hidden_position_1_t = np.multiply(  # (54)
            n_hidden_by_W_hidden_position_1[t],
            hidden_by_W_hidden_position_1_per_n_hidden_by_W_hidden_position_1[t][:, :, None, None],
            out=hidden_by_W_hidden_position_1[t + 1],
        )
        position_by_W_hidden_1[t + 3] = position_by_W_hidden_1_t = np.einsum(  # (49) (55)
            # il,bjl->bij
            'il,bjl->bij', W_position_hidden, hidden_by[t + 1, :, :, 12:24].transpose(0, 2, 1)
        )
    n_hidden_by = np.zeros((T, B, 3, 6), dtype)
    n_hidden_by_W_hidden_position_3 = n_hidden_by[:, :, :, :3].reshape(T, B, 3, 3, 1)
    n_hidden_by_b_hidden = n_hidden_by[:, :, :, 3:6]
    np.einsum('tbiik->tbik', n_hidden_by_W_hidden_position_3)[...] += (  # (59)
        position[:T][:, :, None, :]
    )
    np.einsum('tbii->tbi', n_hidden_by_b_hidden)[...] += 1  # (65)
    hidden_by_W_hidden_position_3_per_n_hidden_by_W_hidden_position_3 = 1 - hidden[1:] ** 2  # (60)
    hidden_by_b_hidden_per_n_hidden_by_b_hidden = 1 - hidden[1:] ** 2  # (66)
    position_by = np.zeros((T + 3, B, 1, 6), dtype)
    position_by_W_hidden_position_3 = position_by[:, :, :, :3].reshape(T + 3, B, 1, 3, 1)
    position_by_b_hidden = position_by[:, :, :, 3:6]
    for t in range(T):
        n_hidden_by_t = n_hidden_by[t]
        n_hidden_by_t += np.einsum(  # (59) (65) il,bjl->bij
            'il,bjl->bij', W_hidden_hidden_1, hidden_by[t, :, :, 24:30].transpose(0, 2, 1)
        )
        n_hidden_by_t += np.einsum(  # (59) (65) il,bjl->bij
            'il,bjl->bij', W_hidden_position_1, position_by[t + 2].transpose(0, 2, 1)
        )
        n_hidden_by_t += np.einsum(  # (59) (65) il,bjl->bij
            'il,bjl->bij', W_hidden_position_3, position_by[t].transpose(0, 2, 1)
        )
        hidden_by_W_hidden_position_3_t = np.multiply(  # (60)
            n_hidden_by_W_hidden_position_3[t],
            hidden_by_W_hidden_position_3_per_n_hidden_by_W_hidden_position_3[t][:, :, None, None],
            out=hidden_by_W_hidden_position_3[t + 1],
        )
        hidden_by_b_hidden_t = np.multiply(  # (66)
            n_hidden_by_b_hidden[t],
            hidden_by_b_hidden_per_n_hidden_by_b_hidden[t][:, :, None],
            out=hidden_by_b_hidden[t + 1],
        )
        position_by[t + 3] = position_by_t = np.einsum(  # (61) (67) il,bjl->bij
            'il,bjl->bij', W_position_hidden, hidden_by[t + 1, :, :, 24:30].transpose(0, 2, 1)
        )
    stacked_position_by_W_position_hidden = np.zeros((T + 3, B, 1, 4), dtype)
    position_by_W_position_hidden = (
        stacked_position_by_W_position_hidden[:, :, :, :3].reshape(T + 3, B, 1, 1, 3)
    )
    position_by_b_position = stacked_position_by_W_position_hidden[:, :, :, 3:4]
    np.einsum('tbiik->tbik', position_by_W_position_hidden[3:])[...] += (  # (73)
        hidden[1:][:, :, None, :]
    )
    np.einsum('tbii->tbi', position_by_b_position[3:])[...] += 1  # (79)
    hidden_by_W_position_hidden_per_n_hidden_by_W_position_hidden = 1 - hidden[1:] ** 2  # (72)
    hidden_by_b_position_per_n_hidden_by_b_position = 1 - hidden[1:] ** 2  # (78)
    for t in range(T):
        n_hidden_by_W_position_hidden_t = np.einsum(  # (71) il,bjkl->bijk
            'il,bjkl->bijk',
            W_hidden_hidden_1,
            hidden_by_W_position_hidden[t].transpose(0, 2, 3, 1),
        )
        n_hidden_by_W_position_hidden_t += np.einsum(  # (71) il,bjkl->bijk
            'il,bjkl->bijk',
            W_hidden_position_1,
            position_by_W_position_hidden[t + 2].transpose(0, 2, 3, 1),
        )
        n_hidden_by_W_position_hidden_t += np.einsum(  # (71) il,bjkl->bijk
            'il,bjkl->bijk',
            W_hidden_position_3,
            position_by_W_position_hidden[t].transpose(0, 2, 3, 1),
        )
        hidden_by_W_position_hidden_t = np.multiply(  # (72)
            n_hidden_by_W_position_hidden_t,
            hidden_by_W_position_hidden_per_n_hidden_by_W_position_hidden[t][:, :, None, None],
            out=hidden_by_W_position_hidden[t + 1],
        )
        n_hidden_by_b_position_t = np.einsum(  # (77) ik,bjk->bij
            'ik,bjk->bij', W_hidden_hidden_1, hidden_by_b_position[t].transpose(0, 2, 1)
        )
        n_hidden_by_b_position_t += np.einsum(  # (77) ik,bjk->bij
            'ik,bjk->bij', W_hidden_position_1, position_by_b_position[t + 2].transpose(0, 2, 1)
        )
        n_hidden_by_b_position_t += np.einsum(  # (77) ik,bjk->bij
            'ik,bjk->bij', W_hidden_position_3, position_by_b_position[t].transpose(0, 2, 1)
        )
        hidden_by_b_position_t = np.multiply(  # (78)
            n_hidden_by_b_position_t,
            hidden_by_b_position_per_n_hidden_by_b_position[t][:, :, None],
            out=hidden_by_b_position[t + 1],
        )
        stacked_position_by_W_position_hidden_t = stacked_position_by_W_position_hidden[t + 3]
        stacked_position_by_W_position_hidden_t += np.einsum(  # (73) (79) il,bjl->bij
            'il,bjl->bij', W_position_hidden, hidden_by[t + 1, :, :, 30:].transpose(0, 2, 1)
        )
    n_label_by = np.einsum(  # (38) (44) (50) (56) (62) (68) (74) (80) il,tbjl->tbij
        'il,tbjl->tbij', W_label_hidden, hidden_by[1:].transpose(0, 1, 3, 2)
    )
    n_label_by_W_hidden_x = n_label_by[:, :, :, :6].reshape(T, B, 2, 3, 2)
    n_label_by_W_hidden_x_2 = n_label_by[:, :, :, 6:12].reshape(T, B, 2, 3, 2)
    n_label_by_W_hidden_hidden_1 = n_label_by[:, :, :, 12:21].reshape(T, B, 2, 3, 3)
    n_label_by_W_hidden_position_1 = n_label_by[:, :, :, 21:24].reshape(T, B, 2, 3, 1)
    n_label_by_W_hidden_position_3 = n_label_by[:, :, :, 24:27].reshape(T, B, 2, 3, 1)
    n_label_by_b_hidden = n_label_by[:, :, :, 27:30]
    n_label_by_W_position_hidden = n_label_by[:, :, :, 30:33].reshape(T, B, 2, 1, 3)
    n_label_by_b_position = n_label_by[:, :, :, 33:34]
    n_label_by += np.einsum(  # (38) (44) (50) (56) (62) (68) (74) (80) il,tbjl->tbij
        'il,tbjl->tbij', W_label_hidden_1, hidden_by[:T].transpose(0, 1, 3, 2)
    )
    logsumexp_label_by = (  # (39) (45) (51) (57) (63) (69) (75) (81) tbik->tbi
        (n_label_by.transpose(0, 1, 3, 2) * label[:, :, None, :]).sum(axis=3)
    )
    logsumexp_label_by_W_hidden_x = logsumexp_label_by[:, :, :6].reshape(T, B, 3, 2)
    logsumexp_label_by_W_hidden_x_2 = logsumexp_label_by[:, :, 6:12].reshape(T, B, 3, 2)
    logsumexp_label_by_W_hidden_hidden_1 = logsumexp_label_by[:, :, 12:21].reshape(T, B, 3, 3)
    logsumexp_label_by_W_hidden_position_1 = logsumexp_label_by[:, :, 21:24].reshape(T, B, 3, 1)
    logsumexp_label_by_W_hidden_position_3 = logsumexp_label_by[:, :, 24:27].reshape(T, B, 3, 1)
    logsumexp_label_by_b_hidden = logsumexp_label_by[:, :, 27:30]
    logsumexp_label_by_W_position_hidden = logsumexp_label_by[:, :, 30:33].reshape(T, B, 1, 3)
    logsumexp_label_by_b_position = logsumexp_label_by[:, :, 33:34]
    label_by_W_hidden_x = (  # (40)
        label[:, :, :, None, None]
        * (n_label_by_W_hidden_x - logsumexp_label_by_W_hidden_x[:, :, None, :, :])
    )
    label_by_W_hidden_x_2 = (  # (46)
        label[:, :, :, None, None]
        * (n_label_by_W_hidden_x_2 - logsumexp_label_by_W_hidden_x_2[:, :, None, :, :])
    )
    label_by_W_hidden_hidden_1 = (  # (52)
        label[:, :, :, None, None]
        * (n_label_by_W_hidden_hidden_1 - logsumexp_label_by_W_hidden_hidden_1[:, :, None, :, :])
    )
    label_by_W_hidden_position_1 = (  # (58)
        label[:, :, :, None, None]
        * (n_label_by_W_hidden_position_1 - logsumexp_label_by_W_hidden_position_1[:, :, None, :, :])
    )
    label_by_W_hidden_position_3 = (  # (64)
        label[:, :, :, None, None]
        * (n_label_by_W_hidden_position_3 - logsumexp_label_by_W_hidden_position_3[:, :, None, :, :])
    )
    label_by_b_hidden = (  # (70)
        label[:, :, :, None] * (n_label_by_b_hidden - logsumexp_label_by_b_hidden[:, :, None, :])
    )
    label_by_W_position_hidden = (  # (76)
        label[:, :, :, None, None]
        * (n_label_by_W_position_hidden - logsumexp_label_by_W_position_hidden[:, :, None, :, :])
    )
    label_by_b_position = (  # (82)
        label[:, :, :, None]
        * (n_label_by_b_position - logsumexp_label_by_b_position[:, :, None, :])
    )
    n_label_by_W_label_hidden = np.zeros((T, B, 2, 2, 3), dtype)
    np.einsum('tbiik->tbik', n_label_by_W_label_hidden)[...] += hidden[1:][:, :, None, :]  # (83)
    logsumexp_label_by_W_label_hidden = (  # (84) tbijk->tbij
        (n_label_by_W_label_hidden.transpose(0, 1, 3, 4, 2) * label[:, :, None, None, :]).sum(axis=4)
    )
    label_by_W_label_hidden = (  # (85)
        label[:, :, :, None, None]
        * (n_label_by_W_label_hidden - logsumexp_label_by_W_label_hidden[:, :, None, :, :])
    )
    n_label_by_W_label_hidden_1 = np.zeros((T, B, 2, 2, 3), dtype)
    np.einsum('tbiik->tbik', n_label_by_W_label_hidden_1)[...] += hidden[:T][:, :, None, :]  # (86)
    logsumexp_label_by_W_label_hidden_1 = (  # (87) tbijk->tbij
        (n_label_by_W_label_hidden_1.transpose(0, 1, 3, 4, 2) * label[:, :, None, None, :]).sum(axis=4)
    )
    label_by_W_label_hidden_1 = (  # (88)
        label[:, :, :, None, None]
        * (n_label_by_W_label_hidden_1 - logsumexp_label_by_W_label_hidden_1[:, :, None, :, :])
    )
    n_label_by_b_label = np.zeros((T, B, 2, 2), dtype)
    np.einsum('tbii->tbi', n_label_by_b_label)[...] += 1  # (89)
    logsumexp_label_by_b_label = (  # (90) tbij->tbi
        (n_label_by_b_label.transpose(0, 1, 3, 2) * label[:, :, None, :]).sum(axis=3)
    )
    label_by_b_label = (  # (91)
        label[:, :, :, None] * (n_label_by_b_label - logsumexp_label_by_b_label[:, :, None, :])
    )
    arrays["position_by_W_hidden_x"] = position_by_W_hidden_x
    arrays["label_by_W_hidden_x"] = label_by_W_hidden_x
    arrays["position_by_W_hidden_x_2"] = position_by_W_hidden_x_2
    arrays["label_by_W_hidden_x_2"] = label_by_W_hidden_x_2
    arrays["position_by_W_hidden_hidden_1"] = position_by_W_hidden_hidden_1
    arrays["label_by_W_hidden_hidden_1"] = label_by_W_hidden_hidden_1
    arrays["position_by_W_hidden_position_1"] = position_by_W_hidden_position_1
    arrays["label_by_W_hidden_position_1"] = label_by_W_hidden_position_1
    arrays["position_by_W_hidden_position_3"] = position_by_W_hidden_position_3
    arrays["label_by_W_hidden_position_3"] = label_by_W_hidden_position_3
    arrays["position_by_b_hidden"] = position_by_b_hidden
    arrays["label_by_b_hidden"] = label_by_b_hidden
    arrays["position_by_W_position_hidden"] = position_by_W_position_hidden
    arrays["label_by_W_position_hidden"] = label_by_W_position_hidden
    arrays["position_by_b_position"] = position_by_b_position
    arrays["label_by_b_position"] = label_by_b_position
    arrays["label_by_W_label_hidden"] = label_by_W_label_hidden
    arrays["label_by_W_label_hidden_1"] = label_by_W_label_hidden_1
    arrays["label_by_b_label"] = label_by_b_label


def _output_adjoints(arrays, T, B, dtype):
    """Adjoints of every element."""
    x = arrays["x"]
    hidden = arrays["hidden"]
    position = arrays["position"]
    label = arrays["label"]
    W_hidden_hidden_1 = arrays["W_hidden_hidden_1"]
    W_hidden_position_1 = arrays["W_hidden_position_1"]
    W_hidden_position_3 = arrays["W_hidden_position_3"]
    W_position_hidden = arrays["W_position_hidden"]
    W_label_hidden = arrays["W_label_hidden"]
    W_label_hidden_1 = arrays["W_label_hidden_1"]

    per_position = np.zeros((T, T, B, 3, 1), dtype)
    position_per_position = per_position[:, :, :, :1]
    label_per_position = per_position[:, :, :, 1:3]
    np.einsum('ttbii->tbi', position_per_position)[...] += 1  # (92)
    position_per_n_hidden_per_position_per_hidden = 1 - hidden[1:] ** 2  # (94)
    per_n_hidden = np.empty((T, T, B, 3, 3), dtype)
    position_per_n_hidden = per_n_hidden[:, :, :, :1]
    label_per_n_hidden = per_n_hidden[:, :, :, 1:3]
    for t in range(T - 1, -1, -1):
        position_per_position_t = position_per_position[t]
        if t < T - 1:
            position_per_position_t += (  # (92) jk,sbik->sbij
                position_per_n_hidden[t + 1] @ W_hidden_position_1
            )
        if t < T - 3:
            position_per_position_t += (  # (92) jk,sbik->sbij
                position_per_n_hidden[t + 3] @ W_hidden_position_3
            )
        position_per_hidden_t = position_per_position_t @ W_position_hidden  # (93) jk,sbik->sbij
        if t < T - 1:
            position_per_hidden_t += (  # (93) jk,sbik->sbij
                position_per_n_hidden[t + 1] @ W_hidden_hidden_1
            )
        position_per_n_hidden_t = np.multiply(  # (94)
            position_per_hidden_t,
            position_per_n_hidden_per_position_per_hidden[t][:, None, :],
            out=position_per_n_hidden[t],
        )
    position_per_b_hidden = (  # (100) tsbij->tbij
        position_per_n_hidden.transpose(1, 0, 2, 3, 4).sum(axis=1)
    )
    position_per_b_position = (  # (102) tsbij->tbij
        position_per_position.transpose(1, 0, 2, 3, 4).sum(axis=1)
    )
    position_per_W_label_hidden = np.zeros((T, B, 1, 2, 3), dtype)
    position_per_W_label_hidden_1 = np.zeros((T, B, 1, 2, 3), dtype)
    position_per_b_label = np.zeros((T, B, 1, 2), dtype)
    label_per_label = np.zeros((T, T, B, 2, 2), dtype)
    np.einsum('ttbii->tbi', label_per_label)[...] += 1  # (106)
    label_per_logsumexp_label = (  # (107) tsbij->tsbi
        -(label_per_label * label[:, None, :, None, :]).sum(axis=4)
    )
    label_per_n_label = (  # (108)
        label[:, None, :, None, :]
        * (label_per_label + label_per_logsumexp_label[:, :, :, :, None])
    )
    label_per_hidden = label_per_n_label @ W_label_hidden  # (110) jk,tsbik->tsbij
    label_per_hidden[:T - 1] += label_per_n_label[1:] @ W_label_hidden_1  # (110) jk,tsbik->tsbij
    label_per_n_hidden_per_label_per_hidden = 1 - hidden[1:] ** 2  # (111)
    for t in range(T - 1, -1, -1):
        label_per_position_t = label_per_position[t]
        label_per_position_t[...] = 0
        if t < T - 1:
            label_per_position_t += (  # (109) jk,sbik->sbij
                label_per_n_hidden[t + 1] @ W_hidden_position_1
            )
        if t < T - 3:
            label_per_position_t += (  # (109) jk,sbik->sbij
                label_per_n_hidden[t + 3] @ W_hidden_position_3
            )
        label_per_hidden_t = label_per_hidden[t]
        label_per_hidden_t += label_per_position_t @ W_position_hidden  # (110) jk,sbik->sbij
        if t < T - 1:
            label_per_hidden_t += (  # (110) jk,sbik->sbij
                label_per_n_hidden[t + 1] @ W_hidden_hidden_1
            )
        label_per_n_hidden_t = np.multiply(  # (111)
            label_per_hidden_t,
            label_per_n_hidden_per_label_per_hidden[t][:, None, :],
            out=label_per_n_hidden[t],
        )
    per_W_hidden_x = np.einsum(  # (95) (112) tsbij,sbk->tbijk
        'tsbij,sbk->tbijk', per_n_hidden.transpose(1, 0, 2, 3, 4), x[2:]
    )
    position_per_W_hidden_x = per_W_hidden_x[:, :, :1]
    label_per_W_hidden_x = per_W_hidden_x[:, :, 1:3]
    per_W_hidden_x_2 = np.einsum(  # (96) (113) tsbij,sbk->tbijk
        'tsbij,sbk->tbijk', per_n_hidden.transpose(1, 0, 2, 3, 4), x[:T]
    )
    position_per_W_hidden_x_2 = per_W_hidden_x_2[:, :, :1]
    label_per_W_hidden_x_2 = per_W_hidden_x_2[:, :, 1:3]
    per_W_hidden_hidden_1 = np.einsum(  # (97) (114) tsbij,sbk->tbijk
        'tsbij,sbk->tbijk', per_n_hidden.transpose(1, 0, 2, 3, 4), hidden[:T]
    )
    position_per_W_hidden_hidden_1 = per_W_hidden_hidden_1[:, :, :1]
    label_per_W_hidden_hidden_1 = per_W_hidden_hidden_1[:, :, 1:3]
    per_W_hidden_position_1 = np.einsum(  # (98) (115) tsbij,sbk->tbijk
        'tsbij,sbk->tbijk', per_n_hidden.transpose(1, 0, 2, 3, 4), position[2:T + 2]
    )
    position_per_W_hidden_position_1 = per_W_hidden_position_1[:, :, :1]
    label_per_W_hidden_position_1 = per_W_hidden_position_1[:, :, 1:3]
    per_W_hidden_position_3 = np.einsum(  # (99) (116) tsbij,sbk->tbijk
        'tsbij,sbk->tbijk', per_n_hidden.transpose(1, 0, 2, 3, 4), position[:T]
    )
    position_per_W_hidden_position_3 = per_W_hidden_position_3[:, :, :1]
    label_per_W_hidden_position_3 = per_W_hidden_position_3[:, :, 1:3]
    label_per_b_hidden = (  # (117) tsbij->tbij
        label_per_n_hidden.transpose(1, 0, 2, 3, 4).sum(axis=1)
    )
    per_W_position_hidden = np.einsum(  # (101) (118) tsbij,sbk->tbijk
        'tsbij,sbk->tbijk', per_position.transpose(1, 0, 2, 3, 4), hidden[1:]
    )
    position_per_W_position_hidden = per_W_position_hidden[:, :, :1]
    label_per_W_position_hidden = per_W_position_hidden[:, :, 1:3]
    label_per_b_position = (  # (119) tsbij->tbij
        label_per_position.transpose(1, 0, 2, 3, 4).sum(axis=1)
    )
    label_per_W_label_hidden = np.einsum(  # (120) tsbij,sbk->tbijk
        'tsbij,sbk->tbijk', label_per_n_label.transpose(1, 0, 2, 3, 4), hidden[1:]
    )
    label_per_W_label_hidden_1 = np.einsum(  # (121) tsbij,sbk->tbijk
        'tsbij,sbk->tbijk', label_per_n_label.transpose(1, 0, 2, 3, 4), hidden[:T]
    )
    label_per_b_label = label_per_n_label.transpose(1, 0, 2, 3, 4).sum(axis=1)  # (122) tsbij->tbij
    arrays["position_per_W_hidden_x"] = position_per_W_hidden_x
    arrays["position_per_W_hidden_x_2"] = position_per_W_hidden_x_2
    arrays["position_per_W_hidden_hidden_1"] = position_per_W_hidden_hidden_1
    arrays["position_per_W_hidden_position_1"] = position_per_W_hidden_position_1
    arrays["position_per_W_hidden_position_3"] = position_per_W_hidden_position_3
    arrays["position_per_b_hidden"] = position_per_b_hidden
    arrays["position_per_W_position_hidden"] = position_per_W_position_hidden
    arrays["position_per_b_position"] = position_per_b_position
    arrays["position_per_W_label_hidden"] = position_per_W_label_hidden
    arrays["position_per_W_label_hidden_1"] = position_per_W_label_hidden_1
    arrays["position_per_b_label"] = position_per_b_label
    arrays["label_per_W_hidden_x"] = label_per_W_hidden_x
    arrays["label_per_W_hidden_x_2"] = label_per_W_hidden_x_2
    arrays["label_per_W_hidden_hidden_1"] = label_per_W_hidden_hidden_1
    arrays["label_per_W_hidden_position_1"] = label_per_W_hidden_position_1
    arrays["label_per_W_hidden_position_3"] = label_per_W_hidden_position_3
    arrays["label_per_b_hidden"] = label_per_b_hidden
    arrays["label_per_W_position_hidden"] = label_per_W_position_hidden
    arrays["label_per_b_position"] = label_per_b_position
    arrays["label_per_W_label_hidden"] = label_per_W_label_hidden
    arrays["label_per_W_label_hidden_1"] = label_per_W_label_hidden_1
    arrays["label_per_b_label"] = label_per_b_label


def _directional(arrays, T, B, dtype):
    """Tangents along the parameters."""
    x = arrays["x"]
    hidden = arrays["hidden"]
    position = arrays["position"]
    label = arrays["label"]
    W_hidden_hidden_1 = arrays["W_hidden_hidden_1"]
    W_hidden_position_1 = arrays["W_hidden_position_1"]
    W_hidden_position_3 = arrays["W_hidden_position_3"]
    W_position_hidden = arrays["W_position_hidden"]
    W_label_hidden = arrays["W_label_hidden"]
    W_label_hidden_1 = arrays["W_label_hidden_1"]
    target_label = arrays["target_label"]
    R_W_hidden_x = arrays["R_W_hidden_x"]
    R_W_hidden_x_2 = arrays["R_W_hidden_x_2"]
    R_W_hidden_hidden_1 = arrays["R_W_hidden_hidden_1"]
    R_W_hidden_position_1 = arrays["R_W_hidden_position_1"]
    R_W_hidden_position_3 = arrays["R_W_hidden_position_3"]
    R_b_hidden = arrays["R_b_hidden"]
    R_W_position_hidden = arrays["R_W_position_hidden"]
    R_b_position = arrays["R_b_position"]
    R_W_label_hidden = arrays["R_W_label_hidden"]
    R_W_label_hidden_1 = arrays["R_W_label_hidden_1"]
    R_b_label = arrays["R_b_label"]
    error_position = arrays["error_position"]
    R_hidden = _extended(T, (B, 3), arrays.get(("direction", "initial_hidden")), 1, None, 0, dtype)
    R_position = _extended(
        T, (B, 1), arrays.get(("direction", "initial_position")), 3, None, 0, dtype
    )

    R_W_hidden_1 = np.concatenate((R_W_hidden_hidden_1, R_W_label_hidden_1))
    R_b = np.concatenate((R_b_hidden, R_b_label))
    R_n = np.empty((T, B, 5), dtype)
    R_n_hidden = R_n[:, :, :3]
    R_n_label = R_n[:, :, 3:5]
    R_n_hidden[...] = (_rows(x[2:]) @ R_W_hidden_x.T).reshape(-1, B, 3)  # (123) ij,tbj->tbi
    R_n_hidden += (_rows(x[:T]) @ R_W_hidden_x_2.T).reshape(-1, B, 3)  # (123) ij,tbj->tbi
    R_n_hidden += (  # (123) ij,tbj->tbi
        (_rows(position[2:T + 2]) @ R_W_hidden_position_1.T).reshape(-1, B, 3)
    )
    R_n_hidden += (  # (123) ij,tbj->tbi
        (_rows(position[:T]) @ R_W_hidden_position_3.T).reshape(-1, B, 3)
    )
    R_position[3:] = (  # (125) ij,tbj->tbi
        (_rows(hidden[1:]) @ R_W_position_hidden.T).reshape(-1, B, 1)
    )
    R_position[3:] += R_b_position  # (125)
    R_hidden_per_R_n_hidden = 1 - hidden[1:] ** 2  # (124)
    R_n_label[...] = (  # (126) ij,tbj->tbi
        (_rows(hidden[1:]) @ R_W_label_hidden.T).reshape(-1, B, 2)
    )
    R_n += (_rows(hidden[:T]) @ R_W_hidden_1.T).reshape(-1, B, 5)  # (123) (126) ij,tbj->tbi
    R_n += R_b  # (123) (126)
    for t in range(T):
        R_n_hidden_t = R_n_hidden[t]
        R_n_hidden_t += R_hidden[t] @ W_hidden_hidden_1.T  # (123) ij,bj->bi
        R_n_hidden_t += R_position[t + 2] @ W_hidden_position_1.T  # (123) ij,bj->bi
        R_n_hidden_t += R_position[t] @ W_hidden_position_3.T  # (123) ij,bj->bi
        R_hidden_t = np.multiply(  # (124)
            R_n_hidden_t, R_hidden_per_R_n_hidden[t], out=R_hidden[t + 1]
        )
        R_position_t = R_position[t + 3]
        R_position_t += R_hidden_t @ W_position_hidden.T  # (125) ij,bj->bi
    R_n_label += (_rows(R_hidden[1:]) @ W_label_hidden.T).reshape(-1, B, 2)  # (126) ij,tbj->tbi
    R_n_label += (_rows(R_hidden[:T]) @ W_label_hidden_1.T).reshape(-1, B, 2)  # (126) ij,tbj->tbi
    R_logsumexp_label = (R_n_label * label).sum(axis=2)  # (127) tbi->tb
    R_label = label * (R_n_label - R_logsumexp_label[:, :, None])  # (128)
    R_loss_position = 2 / (B * T) * (R_position[3:] * error_position).sum()  # (129) tbi->
    R_loss_label = (  # (130) b->, bi->
        1 / B * R_logsumexp_label[T - 1].sum()
        - 1 / B * (target_label * R_n_label[T - 1]).sum()
    )
    R_loss = R_loss_label / 2 + R_loss_position  # (131)
    arrays["R_hidden"] = R_hidden
    arrays["R_position"] = R_position
    arrays["R_n_label"] = R_n_label
    arrays["R_logsumexp_label"] = R_logsumexp_label
    arrays["R_label"] = R_label


def _hessian_products(arrays, T, B, dtype):
    """Tangents of the adjoints."""
    x = arrays["x"]
    hidden = arrays["hidden"]
    position = arrays["position"]
    W_hidden_hidden_1 = arrays["W_hidden_hidden_1"]
    W_hidden_position_1 = arrays["W_hidden_position_1"]
    W_hidden_position_3 = arrays["W_hidden_position_3"]
    W_position_hidden = arrays["W_position_hidden"]
    W_label_hidden = arrays["W_label_hidden"]
    W_label_hidden_1 = arrays["W_label_hidden_1"]
    d_n_label = arrays["d_n_label"]
    d_position = arrays["d_position"]
    d_hidden = arrays["d_hidden"]
    d_n_hidden = arrays["d_n_hidden"]
    R_W_hidden_hidden_1 = arrays["R_W_hidden_hidden_1"]
    R_W_hidden_position_1 = arrays["R_W_hidden_position_1"]
    R_W_hidden_position_3 = arrays["R_W_hidden_position_3"]
    R_W_position_hidden = arrays["R_W_position_hidden"]
    R_W_label_hidden = arrays["R_W_label_hidden"]
    R_W_label_hidden_1 = arrays["R_W_label_hidden_1"]
    R_hidden = arrays["R_hidden"]
    R_position = arrays["R_position"]
    R_label = arrays["R_label"]
    d = arrays["d"]

    R_d = np.zeros((T, B, 6), dtype)
    R_d_n_label = R_d[:, :, 3:5]
    R_d_position = R_d[:, :, 5:6]
    R_d_n_hidden = R_d[:, :, :3]
    R_d_n_label[T - 1:] += 1 / (2 * B) * R_label[T - 1:]  # (132)
    R_d_position[...] = 2 / (B * T) * R_position[3:]  # (133)
    R_d_position[:T - 1] += (  # (133) ij,tbj->tbi
        (_rows(d_n_hidden[1:]) @ R_W_hidden_position_1).reshape(-1, B, 1)
    )
    R_d_position[:max(T - 3, 0)] += (  # (133) ij,tbj->tbi
        (_rows(d_n_hidden[3:]) @ R_W_hidden_position_3).reshape(-1, B, 1)
    )
    R_d_hidden = (_rows(d_n_label) @ R_W_label_hidden).reshape(-1, B, 3)  # (134) ij,tbj->tbi
    R_d_hidden += (_rows(R_d_n_label) @ W_label_hidden).reshape(-1, B, 3)  # (134) ij,tbj->tbi
    R_d_hidden += (_rows(d_position) @ R_W_position_hidden).reshape(-1, B, 3)  # (134) ij,tbj->tbi
    R_d_hidden[:T - 1] += (  # (134) ij,tbj->tbi
        (_rows(d_n_label[1:]) @ R_W_label_hidden_1).reshape(-1, B, 3)
    )
    R_d_hidden[:T - 1] += (  # (134) ij,tbj->tbi
        (_rows(R_d_n_label[1:]) @ W_label_hidden_1).reshape(-1, B, 3)
    )
    R_d_hidden[:T - 1] += (  # (134) ij,tbj->tbi
        (_rows(d_n_hidden[1:]) @ R_W_hidden_hidden_1).reshape(-1, B, 3)
    )
    R_d_n_hidden[...] = -(2 * d_hidden * R_hidden[1:] * hidden[1:])  # (135)
    R_d_n_hidden_per_R_d_hidden = 1 - hidden[1:] ** 2  # (135)
    for t in range(T - 1, -1, -1):
        R_d_position_t = R_d_position[t]
        if t < T - 1:
            R_d_position_t += R_d_n_hidden[t + 1] @ W_hidden_position_1  # (133) ij,bj->bi
        if t < T - 3:
            R_d_position_t += R_d_n_hidden[t + 3] @ W_hidden_position_3  # (133) ij,bj->bi
        R_d_hidden_t = R_d_hidden[t]
        R_d_hidden_t += R_d_position_t @ W_position_hidden  # (134) ij,bj->bi
        if t < T - 1:
            R_d_hidden_t += R_d_n_hidden[t + 1] @ W_hidden_hidden_1  # (134) ij,bj->bi
        R_d_n_hidden_t = R_d_n_hidden[t]
        R_d_n_hidden_t += R_d_hidden_t * R_d_n_hidden_per_R_d_hidden[t]  # (135)
    R_d_W_hidden_x = _rows(R_d_n_hidden).T @ _rows(x[2:])  # (136) tbi,tbj->ij
    R_d_W_hidden_x_2 = _rows(R_d_n_hidden).T @ _rows(x[:T])  # (137) tbi,tbj->ij
    R_d_W_hidden_position_1 = _rows(R_d_n_hidden).T @ _rows(position[2:T + 2])  # (139) tbi,tbj->ij
    R_d_W_hidden_position_1 += (  # (139) tbi,tbj->ij
        _rows(d_n_hidden).T @ _rows(R_position[2:T + 2])
    )
    R_d_W_hidden_position_3 = _rows(R_d_n_hidden).T @ _rows(position[:T])  # (140) tbi,tbj->ij
    R_d_W_hidden_position_3 += _rows(d_n_hidden).T @ _rows(R_position[:T])  # (140) tbi,tbj->ij
    R_d_W_position_hidden = _rows(R_d_position).T @ _rows(hidden[1:])  # (142) tbi,tbj->ij
    R_d_W_position_hidden += _rows(d_position).T @ _rows(R_hidden[1:])  # (142) tbi,tbj->ij
    R_d_W_label_hidden = _rows(R_d_n_label).T @ _rows(hidden[1:])  # (144) tbi,tbj->ij
    R_d_W_label_hidden += _rows(d_n_label).T @ _rows(R_hidden[1:])  # (144) tbi,tbj->ij
    R_d_W_hidden_1 = _rows(R_d[:, :, :5]).T @ _rows(hidden[:T])  # (138) (145) tbi,tbj->ij
    R_d_W_hidden_hidden_1 = R_d_W_hidden_1[:3]
    R_d_W_label_hidden_1 = R_d_W_hidden_1[3:5]
    R_d_W_hidden_1 += _rows(d[:, :, :5]).T @ _rows(R_hidden[:T])  # (138) (145) tbi,tbj->ij
    R_d_b = R_d.sum(axis=(0, 1))  # (141) (143) (146) tbi->i
    R_d_b_hidden = R_d_b[:3]
    R_d_b_position = R_d_b[5:6]
    R_d_b_label = R_d_b[3:5]
    arrays["R_d_W_hidden_x"] = R_d_W_hidden_x
    arrays["R_d_W_hidden_x_2"] = R_d_W_hidden_x_2
    arrays["R_d_W_hidden_hidden_1"] = R_d_W_hidden_hidden_1
    arrays["R_d_W_hidden_position_1"] = R_d_W_hidden_position_1
    arrays["R_d_W_hidden_position_3"] = R_d_W_hidden_position_3
    arrays["R_d_b_hidden"] = R_d_b_hidden
    arrays["R_d_W_position_hidden"] = R_d_W_position_hidden
    arrays["R_d_b_position"] = R_d_b_position
    arrays["R_d_W_label_hidden"] = R_d_W_label_hidden
    arrays["R_d_W_label_hidden_1"] = R_d_W_label_hidden_1
    arrays["R_d_b_label"] = R_d_b_label


def _gauss_newton_products(arrays, T, B, dtype):
    """The tangents taken back."""
    x = arrays["x"]
    hidden = arrays["hidden"]
    position = arrays["position"]
    label = arrays["label"]
    W_hidden_hidden_1 = arrays["W_hidden_hidden_1"]
    W_hidden_position_1 = arrays["W_hidden_position_1"]
    W_hidden_position_3 = arrays["W_hidden_position_3"]
    W_position_hidden = arrays["W_position_hidden"]
    W_label_hidden = arrays["W_label_hidden"]
    W_label_hidden_1 = arrays["W_label_hidden_1"]
    R_position = arrays["R_position"]
    R_n_label = arrays["R_n_label"]
    R_logsumexp_label = arrays["R_logsumexp_label"]

    R_e_position = 2 / (B * T) * R_position[3:]  # (147)
    R_e_n_label = np.zeros((T, B, 2), dtype)
    R_e_n_label[T - 1:] += (  # (148)
        1 / (2 * B) * label[T - 1:] * (R_n_label[T - 1:] - R_logsumexp_label[T - 1:][:, :, None])
    )
    curvature_per = np.empty((T, B, 6), dtype)
    curvature_per_n_label = curvature_per[:, :, 3:5]
    curvature_per_position = curvature_per[:, :, 5:6]
    curvature_per_n_hidden = curvature_per[:, :, :3]
    curvature_per_n_label[...] = R_e_n_label  # (150)
    curvature_per_position[...] = R_e_position  # (151)
    curvature_per_hidden = (  # (152) ij,tbj->tbi
        (_rows(curvature_per_n_label) @ W_label_hidden).reshape(-1, B, 3)
    )
    curvature_per_hidden[:T - 1] += (  # (152) ij,tbj->tbi
        (_rows(curvature_per_n_label[1:]) @ W_label_hidden_1).reshape(-1, B, 3)
    )
    curvature_per_n_hidden_per_curvature_per_hidden = 1 - hidden[1:] ** 2  # (153)
    for t in range(T - 1, -1, -1):
        curvature_per_position_t = curvature_per_position[t]
        if t < T - 1:
            curvature_per_position_t += (  # (151) ij,bj->bi
                curvature_per_n_hidden[t + 1] @ W_hidden_position_1
            )
        if t < T - 3:
            curvature_per_position_t += (  # (151) ij,bj->bi
                curvature_per_n_hidden[t + 3] @ W_hidden_position_3
            )
        curvature_per_hidden_t = curvature_per_hidden[t]
        curvature_per_hidden_t += curvature_per_position_t @ W_position_hidden  # (152) ij,bj->bi
        if t < T - 1:
            curvature_per_hidden_t += (  # (152) ij,bj->bi
                curvature_per_n_hidden[t + 1] @ W_hidden_hidden_1
            )
        curvature_per_n_hidden_t = np.multiply(  # (153)
            curvature_per_hidden_t,
            curvature_per_n_hidden_per_curvature_per_hidden[t],
            out=curvature_per_n_hidden[t],
        )
    curvature_per_W_hidden_x = _rows(curvature_per_n_hidden).T @ _rows(x[2:])  # (154) tbi,tbj->ij
    curvature_per_W_hidden_x_2 = (  # (155) tbi,tbj->ij
        _rows(curvature_per_n_hidden).T @ _rows(x[:T])
    )
    curvature_per_W_hidden_position_1 = (  # (157) tbi,tbj->ij
        _rows(curvature_per_n_hidden).T @ _rows(position[2:T + 2])
    )
    curvature_per_W_hidden_position_3 = (  # (158) tbi,tbj->ij
        _rows(curvature_per_n_hidden).T @ _rows(position[:T])
    )
    curvature_per_W_position_hidden = (  # (160) tbi,tbj->ij
        _rows(curvature_per_position).T @ _rows(hidden[1:])
    )
    curvature_per_W_label_hidden = (  # (162) tbi,tbj->ij
        _rows(curvature_per_n_label).T @ _rows(hidden[1:])
    )
    curvature_per_W_hidden_1 = (  # (156) (163) tbi,tbj->ij
        _rows(curvature_per[:, :, :5]).T @ _rows(hidden[:T])
    )
    curvature_per_W_hidden_hidden_1 = curvature_per_W_hidden_1[:3]
    curvature_per_W_label_hidden_1 = curvature_per_W_hidden_1[3:5]
    curvature_per_b = curvature_per.sum(axis=(0, 1))  # (159) (161) (164) tbi->i
    curvature_per_b_hidden = curvature_per_b[:3]
    curvature_per_b_position = curvature_per_b[5:6]
    curvature_per_b_label = curvature_per_b[3:5]
    arrays["curvature_per_W_hidden_x"] = curvature_per_W_hidden_x
    arrays["curvature_per_W_hidden_x_2"] = curvature_per_W_hidden_x_2
    arrays["curvature_per_W_hidden_hidden_1"] = curvature_per_W_hidden_hidden_1
    arrays["curvature_per_W_hidden_position_1"] = curvature_per_W_hidden_position_1
    arrays["curvature_per_W_hidden_position_3"] = curvature_per_W_hidden_position_3
    arrays["curvature_per_b_hidden"] = curvature_per_b_hidden
    arrays["curvature_per_W_position_hidden"] = curvature_per_W_position_hidden
    arrays["curvature_per_b_position"] = curvature_per_b_position
    arrays["curvature_per_W_label_hidden"] = curvature_per_W_label_hidden
    arrays["curvature_per_W_label_hidden_1"] = curvature_per_W_label_hidden_1
    arrays["curvature_per_b_label"] = curvature_per_b_label


def _chunk_loss(arrays, T, B, dtype):
    """A chunk's share of the loss."""
    skip = arrays["skip"]
    position = arrays["position"]
    n_label = arrays["n_label"]
    logsumexp_label = arrays["logsumexp_label"]
    target_position = arrays["target_position"]
    target_label = arrays["target_label"]
    total_steps = arrays["total_steps"]
    ends = arrays["ends"]

    chunk_loss_position = (  # (212) tbi->
        1 / (B * total_steps)
        * ((position[skip + 3:] - target_position[skip:]).ravel() @ (position[skip + 3:] - target_position[skip:]).ravel())
    )
    chunk_loss_label = (  # (213) b->, bi->
        ends / B * logsumexp_label[T - 1].sum()
        - ends / B * (target_label * n_label[T - 1]).sum()
    )
    chunk_loss = chunk_loss_position + chunk_loss_label / 2  # (214)
    arrays["chunk_loss"] = chunk_loss


def _chunk_backward(arrays, T, B, dtype):
    """Adjoints within a chunk."""
    skip = arrays["skip"]
    x = arrays["x"]
    hidden = arrays["hidden"]
    position = arrays["position"]
    label = arrays["label"]
    W_hidden_hidden_1 = arrays["W_hidden_hidden_1"]
    W_hidden_position_1 = arrays["W_hidden_position_1"]
    W_hidden_position_3 = arrays["W_hidden_position_3"]
    W_position_hidden = arrays["W_position_hidden"]
    W_label_hidden = arrays["W_label_hidden"]
    W_label_hidden_1 = arrays["W_label_hidden_1"]
    target_position = arrays["target_position"]
    target_label = arrays["target_label"]
    total_steps = arrays["total_steps"]
    ends = arrays["ends"]
    carry_hidden = arrays["carry_hidden"]
    carry_position = arrays["carry_position"]

    W_hidden_1 = np.concatenate((W_hidden_hidden_1, W_label_hidden_1))
    chunk_objective_per = np.zeros((T, B, 6), dtype)
    chunk_objective_per_n_label = chunk_objective_per[:, :, 3:5]
    chunk_objective_per_position = chunk_objective_per[:, :, 5:6]
    chunk_objective_per_n_hidden = chunk_objective_per[:, :, :3]
    chunk_objective_per_n_label[T - 1:] += ends / (2 * B) * (label[T - 1:] - target_label)  # (216)
    chunk_objective_per_position[max(0, T - 3):] += carry_position[max(-T + 3, 0):]  # (217)
    chunk_objective_per_position[skip:] += (  # (217)
        2 / (B * total_steps) * (position[skip + 3:] - target_position[skip:])
    )
    chunk_objective_per_hidden = (  # (218) ij,tbj->tbi
        (_rows(chunk_objective_per_n_label) @ W_label_hidden).reshape(-1, B, 3)
    )
    chunk_objective_per_hidden[T - 1:] += carry_hidden  # (218)
    chunk_objective_per_hidden[:T - 1] += (  # (218) ij,tbj->tbi
        (_rows(chunk_objective_per_n_label[1:]) @ W_label_hidden_1).reshape(-1, B, 3)
    )
    chunk_objective_per_n_hidden_per_chunk_objective_per_hidden = 1 - hidden[1:] ** 2  # (219)
    for t in range(T - 1, -1, -1):
        chunk_objective_per_position_t = chunk_objective_per_position[t]
        if t < T - 1:
            chunk_objective_per_position_t += (  # (217) ij,bj->bi
                chunk_objective_per_n_hidden[t + 1] @ W_hidden_position_1
            )
        if t < T - 3:
            chunk_objective_per_position_t += (  # (217) ij,bj->bi
                chunk_objective_per_n_hidden[t + 3] @ W_hidden_position_3
            )
        chunk_objective_per_hidden_t = chunk_objective_per_hidden[t]
        chunk_objective_per_hidden_t += (  # (218) ij,bj->bi
            chunk_objective_per_position_t @ W_position_hidden
        )
        if t < T - 1:
            chunk_objective_per_hidden_t += (  # (218) ij,bj->bi
                chunk_objective_per_n_hidden[t + 1] @ W_hidden_hidden_1
            )
        chunk_objective_per_n_hidden_t = np.multiply(  # (219)
            chunk_objective_per_hidden_t,
            chunk_objective_per_n_hidden_per_chunk_objective_per_hidden[t],
            out=chunk_objective_per_n_hidden[t],
        )
    chunk_objective_per_W_hidden_x = (  # (220) tbi,tbj->ij
        _rows(chunk_objective_per_n_hidden).T @ _rows(x[2:])
    )
    chunk_objective_per_W_hidden_x_2 = (  # (221) tbi,tbj->ij
        _rows(chunk_objective_per_n_hidden).T @ _rows(x[:T])
    )
    chunk_objective_per_W_hidden_position_1 = (  # (223) tbi,tbj->ij
        _rows(chunk_objective_per_n_hidden).T @ _rows(position[2:T + 2])
    )
    chunk_objective_per_W_hidden_position_3 = (  # (224) tbi,tbj->ij
        _rows(chunk_objective_per_n_hidden).T @ _rows(position[:T])
    )
    chunk_objective_per_W_position_hidden = (  # (226) tbi,tbj->ij
        _rows(chunk_objective_per_position).T @ _rows(hidden[1:])
    )
    chunk_objective_per_W_label_hidden = (  # (228) tbi,tbj->ij
        _rows(chunk_objective_per_n_label).T @ _rows(hidden[1:])
    )
    chunk_objective_per_W_hidden_1 = (  # (222) (229) tbi,tbj->ij
        _rows(chunk_objective_per[:, :, :5]).T @ _rows(hidden[:T])
    )
    chunk_objective_per_W_hidden_hidden_1 = chunk_objective_per_W_hidden_1[:3]
    chunk_objective_per_W_label_hidden_1 = chunk_objective_per_W_hidden_1[3:5]
    chunk_objective_per_b = chunk_objective_per.sum(axis=(0, 1))  # (225) (227) (230) tbi->i
    chunk_objective_per_b_hidden = chunk_objective_per_b[:3]
    chunk_objective_per_b_position = chunk_objective_per_b[5:6]
    chunk_objective_per_b_label = chunk_objective_per_b[3:5]
    chunk_objective_per_initial_hidden = (  # (231) ij,kbj->kbi
        (_rows(chunk_objective_per[:1, :, :5]) @ W_hidden_1).reshape(-1, B, 3)
    )
    chunk_objective_per_initial_position = np.zeros((3, B, 1), dtype)
    chunk_objective_per_initial_position[T:] += carry_position[:max(-T + 3, 0)]  # (232)
    chunk_objective_per_initial_position[2:] += (  # (232) ij,kbj->kbi
        (_rows(chunk_objective_per_n_hidden[:1]) @ W_hidden_position_1).reshape(-1, B, 1)
    )
    chunk_objective_per_initial_position[:min(3, T)] += (  # (232) ij,kbj->kbi
        (_rows(chunk_objective_per_n_hidden[:min(3, T)]) @ W_hidden_position_3).reshape(-1, B, 1)
    )
    arrays["chunk_objective_per_W_hidden_x"] = chunk_objective_per_W_hidden_x
    arrays["chunk_objective_per_W_hidden_x_2"] = chunk_objective_per_W_hidden_x_2
    arrays["chunk_objective_per_W_hidden_hidden_1"] = chunk_objective_per_W_hidden_hidden_1
    arrays["chunk_objective_per_W_hidden_position_1"] = chunk_objective_per_W_hidden_position_1
    arrays["chunk_objective_per_W_hidden_position_3"] = chunk_objective_per_W_hidden_position_3
    arrays["chunk_objective_per_b_hidden"] = chunk_objective_per_b_hidden
    arrays["chunk_objective_per_W_position_hidden"] = chunk_objective_per_W_position_hidden
    arrays["chunk_objective_per_b_position"] = chunk_objective_per_b_position
    arrays["chunk_objective_per_W_label_hidden"] = chunk_objective_per_W_label_hidden
    arrays["chunk_objective_per_W_label_hidden_1"] = chunk_objective_per_W_label_hidden_1
    arrays["chunk_objective_per_b_label"] = chunk_objective_per_b_label
    arrays["chunk_objective_per_initial_hidden"] = chunk_objective_per_initial_hidden
    arrays["chunk_objective_per_initial_position"] = chunk_objective_per_initial_position


def _online(arrays, T, B, dtype):
    """Signals, losses and sensitivities, step by step."""
    x = arrays["x"]
    hidden = arrays["hidden"]
    position = arrays["position"]
    W_hidden_x = arrays["W_hidden_x"]
    W_hidden_x_2 = arrays["W_hidden_x_2"]
    W_hidden_hidden_1 = arrays["W_hidden_hidden_1"]
    W_hidden_position_1 = arrays["W_hidden_position_1"]
    W_hidden_position_3 = arrays["W_hidden_position_3"]
    b_hidden = arrays["b_hidden"]
    W_position_hidden = arrays["W_position_hidden"]
    b_position = arrays["b_position"]
    W_label_hidden = arrays["W_label_hidden"]
    W_label_hidden_1 = arrays["W_label_hidden_1"]
    b_label = arrays["b_label"]
    target_position = arrays["target_position"]
    target_label = arrays["target_label"]

    running_loss_position = np.zeros((), dtype)
    running_loss_position_by_W_hidden_x = np.zeros((3, 2), dtype)
    running_loss_position_by_W_hidden_x_2 = np.zeros((3, 2), dtype)
    running_loss_position_by_W_hidden_hidden_1 = np.zeros((3, 3), dtype)
    running_loss_position_by_W_hidden_position_1 = np.zeros((3, 1), dtype)
    running_loss_position_by_W_hidden_position_3 = np.zeros((3, 1), dtype)
    running_loss_position_by_b_hidden = np.zeros((3,), dtype)
    running_loss_position_by_W_position_hidden = np.zeros((1, 3), dtype)
    running_loss_position_by_b_position = np.zeros((1,), dtype)
    n_label = np.empty((T, B, 2), dtype)
    logsumexp_label = np.empty((T, B), dtype)
    hidden_by_W_hidden_x_t_minus_1 = np.zeros((B, 3, 3, 2), dtype)
    position_by_W_hidden_x_t_minus_1 = np.zeros((B, 1, 3, 2), dtype)
    position_by_W_hidden_x_t_minus_2 = np.zeros((B, 1, 3, 2), dtype)
    position_by_W_hidden_x_t_minus_3 = np.zeros((B, 1, 3, 2), dtype)
    hidden_by_W_hidden_x_2_t_minus_1 = np.zeros((B, 3, 3, 2), dtype)
    position_by_W_hidden_x_2_t_minus_1 = np.zeros((B, 1, 3, 2), dtype)
    position_by_W_hidden_x_2_t_minus_2 = np.zeros((B, 1, 3, 2), dtype)
    position_by_W_hidden_x_2_t_minus_3 = np.zeros((B, 1, 3, 2), dtype)
    hidden_by_W_hidden_hidden_1_t_minus_1 = np.zeros((B, 3, 3, 3), dtype)
    position_by_W_hidden_hidden_1_t_minus_1 = np.zeros((B, 1, 3, 3), dtype)
    position_by_W_hidden_hidden_1_t_minus_2 = np.zeros((B, 1, 3, 3), dtype)
    position_by_W_hidden_hidden_1_t_minus_3 = np.zeros((B, 1, 3, 3), dtype)
    hidden_by_W_hidden_position_1_t_minus_1 = np.zeros((B, 3, 3, 1), dtype)
    position_by_W_hidden_position_1_t_minus_1 = np.zeros((B, 1, 3, 1), dtype)
    position_by_W_hidden_position_1_t_minus_2 = np.zeros((B, 1, 3, 1), dtype)
    position_by_W_hidden_position_1_t_minus_3 = np.zeros((B, 1, 3, 1), dtype)
    hidden_by_W_hidden_position_3_t_minus_1 = np.zeros((B, 3, 3, 1), dtype)
    position_by_W_hidden_position_3_t_minus_1 = np.zeros((B, 1, 3, 1), dtype)
    position_by_W_hidden_position_3_t_minus_2 = np.zeros((B, 1, 3, 1), dtype)
    position_by_W_hidden_position_3_t_minus_3 = np.zeros((B, 1, 3, 1), dtype)
    hidden_by_b_hidden_t_minus_1 = np.zeros((B, 3, 3), dtype)
    position_by_b_hidden_t_minus_1 = np.zeros((B, 1, 3), dtype)
    position_by_b_hidden_t_minus_2 = np.zeros((B, 1, 3), dtype)
    position_by_b_hidden_t_minus_3 = np.zeros((B, 1, 3), dtype)
    hidden_by_W_position_hidden_t_minus_1 = np.zeros((B, 3, 1, 3), dtype)
    position_by_W_position_hidden_t_minus_1 = np.zeros((B, 1, 1, 3), dtype)
    position_by_W_position_hidden_t_minus_2 = np.zeros((B, 1, 1, 3), dtype)
    position_by_W_position_hidden_t_minus_3 = np.zeros((B, 1, 1, 3), dtype)
    hidden_by_b_position_t_minus_1 = np.zeros((B, 3, 1), dtype)
    position_by_b_position_t_minus_1 = np.zeros((B, 1, 1), dtype)
    position_by_b_position_t_minus_2 = np.zeros((B, 1, 1), dtype)
    position_by_b_position_t_minus_3 = np.zeros((B, 1, 1), dtype)
    for t in range(T):
        x_t = x[t + 2]
        x_t_minus_2 = x[t]
        hidden_t_minus_1 = hidden[t]
        position_t_minus_1 = position[t + 2]
        position_t_minus_3 = position[t]
        target_position_t = target_position[t]
        n_hidden_t = x_t @ W_hidden_x.T  # (1) ij,bj->bi
        n_hidden_t += x_t_minus_2 @ W_hidden_x_2.T  # (1) ij,bj->bi
        n_hidden_t += hidden_t_minus_1 @ W_hidden_hidden_1.T  # (1) ij,bj->bi
        n_hidden_t += position_t_minus_1 @ W_hidden_position_1.T  # (1) ij,bj->bi
        n_hidden_t += position_t_minus_3 @ W_hidden_position_3.T  # (1) ij,bj->bi
        n_hidden_t += b_hidden  # (1)
        hidden_t = np.tanh(n_hidden_t, out=hidden[t + 1])  # (2)
        position_t = position[t + 3]
        position_t[...] = hidden_t @ W_position_hidden.T  # (3) ij,bj->bi
        position_t += b_position  # (3)
        n_label_t = n_label[t]
        n_label_t[...] = hidden_t @ W_label_hidden.T  # (4) ij,bj->bi
        n_label_t += hidden_t_minus_1 @ W_label_hidden_1.T  # (4) ij,bj->bi
        n_label_t += b_label  # (4)
        logsumexp_label[t] = logsumexp_label_t = _logsumexp(n_label_t, axis=1)  # (5)
        label_t = np.exp(n_label_t - logsumexp_label_t[:, None])  # (6)
        running_loss_position += (  # (7) bi->
            1 / (B * T)
            * ((position_t - target_position_t).ravel() @ (position_t - target_position_t).ravel())
        )
        n_hidden_by_W_hidden_x_t = np.einsum(  # (35) il,bjkl->bijk
            'il,bjkl->bijk',
            W_hidden_hidden_1,
            hidden_by_W_hidden_x_t_minus_1.transpose(0, 2, 3, 1),
        )
        n_hidden_by_W_hidden_x_t += np.einsum(  # (35) il,bjkl->bijk
            'il,bjkl->bijk',
            W_hidden_position_1,
            position_by_W_hidden_x_t_minus_1.transpose(0, 2, 3, 1),
        )
        n_hidden_by_W_hidden_x_t += np.einsum(  # (35) il,bjkl->bijk
            'il,bjkl->bijk',
            W_hidden_position_3,
            position_by_W_hidden_x_t_minus_3.transpose(0, 2, 3, 1),
        )
        np.einsum('biik->bik', n_hidden_by_W_hidden_x_t)[...] += x_t[:, None, :]  # (35)
        hidden_by_W_hidden_x_t = (  # (36)
            n_hidden_by_W_hidden_x_t * (1 - hidden_t[:, :, None, None] ** 2)
        )
        position_by_W_hidden_x_t = np.einsum(  # (37) il,bjkl->bijk
            'il,bjkl->bijk', W_position_hidden, hidden_by_W_hidden_x_t.transpose(0, 2, 3, 1)
        )
        n_label_by_W_hidden_x_t = np.einsum(  # (38) il,bjkl->bijk
            'il,bjkl->bijk', W_label_hidden, hidden_by_W_hidden_x_t.transpose(0, 2, 3, 1)
        )
        n_label_by_W_hidden_x_t += np.einsum(  # (38) il,bjkl->bijk
            'il,bjkl->bijk', W_label_hidden_1, hidden_by_W_hidden_x_t_minus_1.transpose(0, 2, 3, 1)
        )
        logsumexp_label_by_W_hidden_x_t = (  # (39) bijk->bij
            (n_label_by_W_hidden_x_t.transpose(0, 2, 3, 1) * label_t[:, None, None, :]).sum(axis=3)
        )
        n_hidden_by_W_hidden_x_2_t = np.einsum(  # (41) il,bjkl->bijk
            'il,bjkl->bijk',
            W_hidden_hidden_1,
            hidden_by_W_hidden_x_2_t_minus_1.transpose(0, 2, 3, 1),
        )
        n_hidden_by_W_hidden_x_2_t += np.einsum(  # (41) il,bjkl->bijk
            'il,bjkl->bijk',
            W_hidden_position_1,
            position_by_W_hidden_x_2_t_minus_1.transpose(0, 2, 3, 1),
        )
        n_hidden_by_W_hidden_x_2_t += np.einsum(  # (41) il,bjkl->bijk
            'il,bjkl->bijk',
            W_hidden_position_3,
            position_by_W_hidden_x_2_t_minus_3.transpose(0, 2, 3, 1),
        )
        np.einsum('biik->bik', n_hidden_by_W_hidden_x_2_t)[...] += x_t_minus_2[:, None, :]  # (41)
        hidden_by_W_hidden_x_2_t = (  # (42)
            n_hidden_by_W_hidden_x_2_t * (1 - hidden_t[:, :, None, None] ** 2)
        )
        position_by_W_hidden_x_2_t = np.einsum(  # (43) il,bjkl->bijk
            'il,bjkl->bijk', W_position_hidden, hidden_by_W_hidden_x_2_t.transpose(0, 2, 3, 1)
        )
        n_label_by_W_hidden_x_2_t = np.einsum(  # (44) il,bjkl->bijk
            'il,bjkl->bijk', W_label_hidden, hidden_by_W_hidden_x_2_t.transpose(0, 2, 3, 1)
        )
        n_label_by_W_hidden_x_2_t += np.einsum(  # (44) il,bjkl->bijk
            'il,bjkl->bijk',
            W_label_hidden_1,
            hidden_by_W_hidden_x_2_t_minus_1.transpose(0, 2, 3, 1),
        )
        logsumexp_label_by_W_hidden_x_2_t = (  # (45) bijk->bij
            (n_label_by_W_hidden_x_2_t.transpose(0, 2, 3, 1) * label_t[:, None, None, :]).sum(axis=3)
        )
        n_hidden_by_W_hidden_hidden_1_t = np.einsum(  # (47) il,bjkl->bijk
            'il,bjkl->bijk',
            W_hidden_hidden_1,
            hidden_by_W_hidden_hidden_1_t_minus_1.transpose(0, 2, 3, 1),
        )
        n_hidden_by_W_hidden_hidden_1_t += np.einsum(  # (47) il,bjkl->bijk
            'il,bjkl->bijk',
            W_hidden_position_1,
            position_by_W_hidden_hidden_1_t_minus_1.transpose(0, 2, 3, 1),
        )
        n_hidden_by_W_hidden_hidden_1_t += np.einsum(  # (47) il,bjkl->bijk
            'il,bjkl->bijk',
            W_hidden_position_3,
            position_by_W_hidden_hidden_1_t_minus_3.transpose(0, 2, 3, 1),
        )
        np.einsum('biik->bik', n_hidden_by_W_hidden_hidden_1_t)[...] += (  # (47)
            hidden_t_minus_1[:, None, :]
        )
        hidden_by_W_hidden_hidden_1_t = (  # (48)
            n_hidden_by_W_hidden_hidden_1_t * (1 - hidden_t[:, :, None, None] ** 2)
        )
        position_by_W_hidden_hidden_1_t = np.einsum(  # (49) il,bjkl->bijk
            'il,bjkl->bijk', W_position_hidden, hidden_by_W_hidden_hidden_1_t.transpose(0, 2, 3, 1)
        )
        n_label_by_W_hidden_hidden_1_t = np.einsum(  # (50) il,bjkl->bijk
            'il,bjkl->bijk', W_label_hidden, hidden_by_W_hidden_hidden_1_t.transpose(0, 2, 3, 1)
        )
        n_label_by_W_hidden_hidden_1_t += np.einsum(  # (50) il,bjkl->bijk
            'il,bjkl->bijk',
            W_label_hidden_1,
            hidden_by_W_hidden_hidden_1_t_minus_1.transpose(0, 2, 3, 1),
        )
        logsumexp_label_by_W_hidden_hidden_1_t = (  # (51) bijk->bij
            (n_label_by_W_hidden_hidden_1_t.transpose(0, 2, 3, 1) * label_t[:, None, None, :]).sum(axis=3)
        )
        n_hidden_by_W_hidden_position_1_t = np.einsum(  # (53) il,bjkl->bijk
            'il,bjkl->bijk',
            W_hidden_hidden_1,
            hidden_by_W_hidden_position_1_t_minus_1.transpose(0, 2, 3, 1),
        )
        n_hidden_by_W_hidden_position_1_t += np.einsum(  # (53) il,bjkl->bijk
            'il,bjkl->bijk',
            W_hidden_position_1,
            position_by_W_hidden_position_1_t_minus_1.transpose(0, 2, 3, 1),
        )
        n_hidden_by_W_hidden_position_1_t += np.einsum(  # (53) il,bjkl->bijk
            'il,bjkl->bijk',
            W_hidden_position_3,
            position_by_W_hidden_position_1_t_minus_3.transpose(0, 2, 3, 1),
        )
        np.einsum('biik->bik', n_hidden_by_W_hidden_position_1_t)[...] += (  # (53)
            position_t_minus_1[:, None, :]
        )
        hidden_by_W_hidden_position_1_t = (  # (54)
            n_hidden_by_W_hidden_position_1_t * (1 - hidden_t[:, :, None, None] ** 2)
        )
        position_by_W_hidden_position_1_t = np.einsum(  # (55) il,bjkl->bijk
            'il,bjkl->bijk',
            W_position_hidden,
            hidden_by_W_hidden_position_1_t.transpose(0, 2, 3, 1),
        )
        n_label_by_W_hidden_position_1_t = np.einsum(  # (56) il,bjkl->bijk
            'il,bjkl->bijk', W_label_hidden, hidden_by_W_hidden_position_1_t.transpose(0, 2, 3, 1)
        )
        n_label_by_W_hidden_position_1_t += np.einsum(  # (56) il,bjkl->bijk
            'il,bjkl->bijk',
            W_label_hidden_1,
            hidden_by_W_hidden_position_1_t_minus_1.transpose(0, 2, 3, 1),
        )
        logsumexp_label_by_W_hidden_position_1_t = (  # (57) bijk->bij
            (n_label_by_W_hidden_position_1_t.transpose(0, 2, 3, 1) * label_t[:, None, None, :]).sum(axis=3)
        )
        n_hidden_by_W_hidden_position_3_t = np.einsum(  # (59) il,bjkl->bijk
            'il,bjkl->bijk',
            W_hidden_hidden_1,
            hidden_by_W_hidden_position_3_t_minus_1.transpose(0, 2, 3, 1),
        )
        n_hidden_by_W_hidden_position_3_t += np.einsum(  # (59) il,bjkl->bijk
            'il,bjkl->bijk',
            W_hidden_position_1,
            position_by_W_hidden_position_3_t_minus_1.transpose(0, 2, 3, 1),
        )
        n_hidden_by_W_hidden_position_3_t += np.einsum(  # (59) il,bjkl->bijk
            'il,bjkl->bijk',
            W_hidden_position_3,
            position_by_W_hidden_position_3_t_minus_3.transpose(0, 2, 3, 1),
        )
        np.einsum('biik->bik', n_hidden_by_W_hidden_position_3_t)[...] += (  # (59)
            position_t_minus_3[:, None, :]
        )
        hidden_by_W_hidden_position_3_t = (  # (60)
            n_hidden_by_W_hidden_position_3_t * (1 - hidden_t[:, :, None, None] ** 2)
        )
        position_by_W_hidden_position_3_t = np.einsum(  # (61) il,bjkl->bijk
            'il,bjkl->bijk',
            W_position_hidden,
            hidden_by_W_hidden_position_3_t.transpose(0, 2, 3, 1),
        )
        n_label_by_W_hidden_position_3_t = np.einsum(  # (62) il,bjkl->bijk
            'il,bjkl->bijk', W_label_hidden, hidden_by_W_hidden_position_3_t.transpose(0, 2, 3, 1)
        )
        n_label_by_W_hidden_position_3_t += np.einsum(  # (62) il,bjkl->bijk
            'il,bjkl->bijk',
            W_label_hidden_1,
            hidden_by_W_hidden_position_3_t_minus_1.transpose(0, 2, 3, 1),
        )
        logsumexp_label_by_W_hidden_position_3_t = (  # (63) bijk->bij
            (n_label_by_W_hidden_position_3_t.transpose(0, 2, 3, 1) * label_t[:, None, None, :]).sum(axis=3)
        )
        n_hidden_by_b_hidden_t = np.einsum(  # (65) ik,bjk->bij
            'ik,bjk->bij', W_hidden_hidden_1, hidden_by_b_hidden_t_minus_1.transpose(0, 2, 1)
        )
        n_hidden_by_b_hidden_t += np.einsum(  # (65) ik,bjk->bij
            'ik,bjk->bij', W_hidden_position_1, position_by_b_hidden_t_minus_1.transpose(0, 2, 1)
        )
        n_hidden_by_b_hidden_t += np.einsum(  # (65) ik,bjk->bij
            'ik,bjk->bij', W_hidden_position_3, position_by_b_hidden_t_minus_3.transpose(0, 2, 1)
        )
        np.einsum('bii->bi', n_hidden_by_b_hidden_t)[...] += 1  # (65)
        hidden_by_b_hidden_t = n_hidden_by_b_hidden_t * (1 - hidden_t[:, :, None] ** 2)  # (66)
        position_by_b_hidden_t = np.einsum(  # (67) ik,bjk->bij
            'ik,bjk->bij', W_position_hidden, hidden_by_b_hidden_t.transpose(0, 2, 1)
        )
        n_label_by_b_hidden_t = np.einsum(  # (68) ik,bjk->bij
            'ik,bjk->bij', W_label_hidden, hidden_by_b_hidden_t.transpose(0, 2, 1)
        )
        n_label_by_b_hidden_t += np.einsum(  # (68) ik,bjk->bij
            'ik,bjk->bij', W_label_hidden_1, hidden_by_b_hidden_t_minus_1.transpose(0, 2, 1)
        )
        logsumexp_label_by_b_hidden_t = (  # (69) bij->bi
            (n_label_by_b_hidden_t.transpose(0, 2, 1) * label_t[:, None, :]).sum(axis=2)
        )
        n_hidden_by_W_position_hidden_t = np.einsum(  # (71) il,bjkl->bijk
            'il,bjkl->bijk',
            W_hidden_hidden_1,
            hidden_by_W_position_hidden_t_minus_1.transpose(0, 2, 3, 1),
        )
        n_hidden_by_W_position_hidden_t += np.einsum(  # (71) il,bjkl->bijk
            'il,bjkl->bijk',
            W_hidden_position_1,
            position_by_W_position_hidden_t_minus_1.transpose(0, 2, 3, 1),
        )
        n_hidden_by_W_position_hidden_t += np.einsum(  # (71) il,bjkl->bijk
            'il,bjkl->bijk',
            W_hidden_position_3,
            position_by_W_position_hidden_t_minus_3.transpose(0, 2, 3, 1),
        )
        hidden_by_W_position_hidden_t = (  # (72)
            n_hidden_by_W_position_hidden_t * (1 - hidden_t[:, :, None, None] ** 2)
        )
        position_by_W_position_hidden_t = np.einsum(  # (73) il,bjkl->bijk
            'il,bjkl->bijk', W_position_hidden, hidden_by_W_position_hidden_t.transpose(0, 2, 3, 1)
        )
        np.einsum('biik->bik', position_by_W_position_hidden_t)[...] += (  # (73)
            hidden_t[:, None, :]
        )
        n_label_by_W_position_hidden_t = np.einsum(  # (74) il,bjkl->bijk
            'il,bjkl->bijk', W_label_hidden, hidden_by_W_position_hidden_t.transpose(0, 2, 3, 1)
        )
        n_label_by_W_position_hidden_t += np.einsum(  # (74) il,bjkl->bijk
            'il,bjkl->bijk',
            W_label_hidden_1,
            hidden_by_W_position_hidden_t_minus_1.transpose(0, 2, 3, 1),
        )
        logsumexp_label_by_W_position_hidden_t = (  # (75) bijk->bij
            (n_label_by_W_position_hidden_t.transpose(0, 2, 3, 1) * label_t[:, None, None, :]).sum(axis=3)
        )
        n_hidden_by_b_position_t = np.einsum(  # (77) ik,bjk->bij
            'ik,bjk->bij', W_hidden_hidden_1, hidden_by_b_position_t_minus_1.transpose(0, 2, 1)
        )
        n_hidden_by_b_position_t += np.einsum(  # (77) ik,bjk->bij
            'ik,bjk->bij', W_hidden_position_1, position_by_b_position_t_minus_1.transpose(0, 2, 1)
        )
        n_hidden_by_b_position_t += np.einsum(  # (77) ik,bjk->bij
            'ik,bjk->bij', W_hidden_position_3, position_by_b_position_t_minus_3.transpose(0, 2, 1)
        )
        hidden_by_b_position_t = n_hidden_by_b_position_t * (1 - hidden_t[:, :, None] ** 2)  # (78)
        position_by_b_position_t = np.einsum(  # (79) ik,bjk->bij
            'ik,bjk->bij', W_position_hidden, hidden_by_b_position_t.transpose(0, 2, 1)
        )
        np.einsum('bii->bi', position_by_b_position_t)[...] += 1  # (79)
        n_label_by_b_position_t = np.einsum(  # (80) ik,bjk->bij
            'ik,bjk->bij', W_label_hidden, hidden_by_b_position_t.transpose(0, 2, 1)
        )
        n_label_by_b_position_t += np.einsum(  # (80) ik,bjk->bij
            'ik,bjk->bij', W_label_hidden_1, hidden_by_b_position_t_minus_1.transpose(0, 2, 1)
        )
        logsumexp_label_by_b_position_t = (  # (81) bij->bi
            (n_label_by_b_position_t.transpose(0, 2, 1) * label_t[:, None, :]).sum(axis=2)
        )
        n_label_by_W_label_hidden_t = np.zeros((B, 2, 2, 3), dtype)
        np.einsum('biik->bik', n_label_by_W_label_hidden_t)[...] += hidden_t[:, None, :]  # (83)
        logsumexp_label_by_W_label_hidden_t = (  # (84) bijk->bij
            (n_label_by_W_label_hidden_t.transpose(0, 2, 3, 1) * label_t[:, None, None, :]).sum(axis=3)
        )
        n_label_by_W_label_hidden_1_t = np.zeros((B, 2, 2, 3), dtype)
        np.einsum('biik->bik', n_label_by_W_label_hidden_1_t)[...] += (  # (86)
            hidden_t_minus_1[:, None, :]
        )
        logsumexp_label_by_W_label_hidden_1_t = (  # (87) bijk->bij
            (n_label_by_W_label_hidden_1_t.transpose(0, 2, 3, 1) * label_t[:, None, None, :]).sum(axis=3)
        )
        n_label_by_b_label_t = np.zeros((B, 2, 2), dtype)
        np.einsum('bii->bi', n_label_by_b_label_t)[...] += 1  # (89)
        logsumexp_label_by_b_label_t = (  # (90) bij->bi
            (n_label_by_b_label_t.transpose(0, 2, 1) * label_t[:, None, :]).sum(axis=2)
        )
        running_loss_position_by_W_hidden_x += (  # (182) bijk->ij
            2 / (B * T)
            * (position_by_W_hidden_x_t.transpose(0, 2, 3, 1) * (position_t[:, None, None, :] - target_position_t[:, None, None, :])).sum(axis=(0, 3))
        )
        running_loss_position_by_W_hidden_x_2 += (  # (185) bijk->ij
            2 / (B * T)
            * (position_by_W_hidden_x_2_t.transpose(0, 2, 3, 1) * (position_t[:, None, None, :] - target_position_t[:, None, None, :])).sum(axis=(0, 3))
        )
        running_loss_position_by_W_hidden_hidden_1 += (  # (188) bijk->ij
            2 / (B * T)
            * (position_by_W_hidden_hidden_1_t.transpose(0, 2, 3, 1) * (position_t[:, None, None, :] - target_position_t[:, None, None, :])).sum(axis=(0, 3))
        )
        running_loss_position_by_W_hidden_position_1 += (  # (191) bijk->ij
            2 / (B * T)
            * (position_by_W_hidden_position_1_t.transpose(0, 2, 3, 1) * (position_t[:, None, None, :] - target_position_t[:, None, None, :])).sum(axis=(0, 3))
        )
        running_loss_position_by_W_hidden_position_3 += (  # (194) bijk->ij
            2 / (B * T)
            * (position_by_W_hidden_position_3_t.transpose(0, 2, 3, 1) * (position_t[:, None, None, :] - target_position_t[:, None, None, :])).sum(axis=(0, 3))
        )
        running_loss_position_by_b_hidden += (  # (197) bij->i
            2 / (B * T)
            * (position_by_b_hidden_t.transpose(0, 2, 1) * (position_t[:, None, :] - target_position_t[:, None, :])).sum(axis=(0, 2))
        )
        running_loss_position_by_W_position_hidden += (  # (200) bijk->ij
            2 / (B * T)
            * (position_by_W_position_hidden_t.transpose(0, 2, 3, 1) * (position_t[:, None, None, :] - target_position_t[:, None, None, :])).sum(axis=(0, 3))
        )
        running_loss_position_by_b_position += (  # (203) bij->i
            2 / (B * T)
            * (position_by_b_position_t.transpose(0, 2, 1) * (position_t[:, None, :] - target_position_t[:, None, :])).sum(axis=(0, 2))
        )
        hidden_by_W_hidden_x_t_minus_1 = hidden_by_W_hidden_x_t
        position_by_W_hidden_x_t_minus_3 = position_by_W_hidden_x_t_minus_2
        position_by_W_hidden_x_t_minus_2 = position_by_W_hidden_x_t_minus_1
        position_by_W_hidden_x_t_minus_1 = position_by_W_hidden_x_t
        hidden_by_W_hidden_x_2_t_minus_1 = hidden_by_W_hidden_x_2_t
        position_by_W_hidden_x_2_t_minus_3 = position_by_W_hidden_x_2_t_minus_2
        position_by_W_hidden_x_2_t_minus_2 = position_by_W_hidden_x_2_t_minus_1
        position_by_W_hidden_x_2_t_minus_1 = position_by_W_hidden_x_2_t
        hidden_by_W_hidden_hidden_1_t_minus_1 = hidden_by_W_hidden_hidden_1_t
        position_by_W_hidden_hidden_1_t_minus_3 = position_by_W_hidden_hidden_1_t_minus_2
        position_by_W_hidden_hidden_1_t_minus_2 = position_by_W_hidden_hidden_1_t_minus_1
        position_by_W_hidden_hidden_1_t_minus_1 = position_by_W_hidden_hidden_1_t
        hidden_by_W_hidden_position_1_t_minus_1 = hidden_by_W_hidden_position_1_t
        position_by_W_hidden_position_1_t_minus_3 = position_by_W_hidden_position_1_t_minus_2
        position_by_W_hidden_position_1_t_minus_2 = position_by_W_hidden_position_1_t_minus_1
        position_by_W_hidden_position_1_t_minus_1 = position_by_W_hidden_position_1_t
        hidden_by_W_hidden_position_3_t_minus_1 = hidden_by_W_hidden_position_3_t
        position_by_W_hidden_position_3_t_minus_3 = position_by_W_hidden_position_3_t_minus_2
        position_by_W_hidden_position_3_t_minus_2 = position_by_W_hidden_position_3_t_minus_1
        position_by_W_hidden_position_3_t_minus_1 = position_by_W_hidden_position_3_t
        hidden_by_b_hidden_t_minus_1 = hidden_by_b_hidden_t
        position_by_b_hidden_t_minus_3 = position_by_b_hidden_t_minus_2
        position_by_b_hidden_t_minus_2 = position_by_b_hidden_t_minus_1
        position_by_b_hidden_t_minus_1 = position_by_b_hidden_t
        hidden_by_W_position_hidden_t_minus_1 = hidden_by_W_position_hidden_t
        position_by_W_position_hidden_t_minus_3 = position_by_W_position_hidden_t_minus_2
        position_by_W_position_hidden_t_minus_2 = position_by_W_position_hidden_t_minus_1
        position_by_W_position_hidden_t_minus_1 = position_by_W_position_hidden_t
        hidden_by_b_position_t_minus_1 = hidden_by_b_position_t
        position_by_b_position_t_minus_3 = position_by_b_position_t_minus_2
        position_by_b_position_t_minus_2 = position_by_b_position_t_minus_1
        position_by_b_position_t_minus_1 = position_by_b_position_t
    loss_position = running_loss_position.copy()  # (7)
    loss_label = (  # (8) b->, bi->
        1 / B * logsumexp_label[T - 1].sum()
        - 1 / B * (target_label * n_label[T - 1]).sum()
    )
    loss = loss_position + loss_label / 2  # (9)
    loss_position_by_W_hidden_x = running_loss_position_by_W_hidden_x.copy()  # (182)
    loss_label_by_W_hidden_x = 1 / B * logsumexp_label_by_W_hidden_x_t.sum(axis=0)  # (183) bij->ij
    loss_label_by_W_hidden_x -= (  # (183) bijk->ij
        1 / B
        * (n_label_by_W_hidden_x_t.transpose(0, 2, 3, 1) * target_label[:, None, None, :]).sum(axis=(0, 3))
    )
    loss_by_W_hidden_x = loss_position_by_W_hidden_x + 1 / 2 * loss_label_by_W_hidden_x  # (184)
    loss_position_by_W_hidden_x_2 = running_loss_position_by_W_hidden_x_2.copy()  # (185)
    loss_label_by_W_hidden_x_2 = (  # (186) bij->ij
        1 / B * logsumexp_label_by_W_hidden_x_2_t.sum(axis=0)
    )
    loss_label_by_W_hidden_x_2 -= (  # (186) bijk->ij
        1 / B
        * (n_label_by_W_hidden_x_2_t.transpose(0, 2, 3, 1) * target_label[:, None, None, :]).sum(axis=(0, 3))
    )
    loss_by_W_hidden_x_2 = (  # (187)
        loss_position_by_W_hidden_x_2
        + 1 / 2 * loss_label_by_W_hidden_x_2
    )
    loss_position_by_W_hidden_hidden_1 = running_loss_position_by_W_hidden_hidden_1.copy()  # (188)
    loss_label_by_W_hidden_hidden_1 = (  # (189) bij->ij
        1 / B * logsumexp_label_by_W_hidden_hidden_1_t.sum(axis=0)
    )
    loss_label_by_W_hidden_hidden_1 -= (  # (189) bijk->ij
        1 / B
        * (n_label_by_W_hidden_hidden_1_t.transpose(0, 2, 3, 1) * target_label[:, None, None, :]).sum(axis=(0, 3))
    )
    loss_by_W_hidden_hidden_1 = (  # (190)
        loss_position_by_W_hidden_hidden_1
        + 1 / 2 * loss_label_by_W_hidden_hidden_1
    )
    loss_position_by_W_hidden_position_1 = (  # (191)
        running_loss_position_by_W_hidden_position_1.copy()
    )
    loss_label_by_W_hidden_position_1 = (  # (192) bij->ij
        1 / B * logsumexp_label_by_W_hidden_position_1_t.sum(axis=0)
    )
    loss_label_by_W_hidden_position_1 -= (  # (192) bijk->ij
        1 / B
        * (n_label_by_W_hidden_position_1_t.transpose(0, 2, 3, 1) * target_label[:, None, None, :]).sum(axis=(0, 3))
    )
    loss_by_W_hidden_position_1 = (  # (193)
        loss_position_by_W_hidden_position_1
        + 1 / 2 * loss_label_by_W_hidden_position_1
    )
    loss_position_by_W_hidden_position_3 = (  # (194)
        running_loss_position_by_W_hidden_position_3.copy()
    )
    loss_label_by_W_hidden_position_3 = (  # (195) bij->ij
        1 / B * logsumexp_label_by_W_hidden_position_3_t.sum(axis=0)
    )
    loss_label_by_W_hidden_position_3 -= (  # (195) bijk->ij
        1 / B
        * (n_label_by_W_hidden_position_3_t.transpose(0, 2, 3, 1) * target_label[:, None, None, :]).sum(axis=(0, 3))
    )
    loss_by_W_hidden_position_3 = (  # (196)
        loss_position_by_W_hidden_position_3
        + 1 / 2 * loss_label_by_W_hidden_position_3
    )
    loss_position_by_b_hidden = running_loss_position_by_b_hidden.copy()  # (197)
    loss_label_by_b_hidden = 1 / B * logsumexp_label_by_b_hidden_t.sum(axis=0)  # (198) bi->i
    loss_label_by_b_hidden -= (  # (198) bij->i
        1 / B
        * (n_label_by_b_hidden_t.transpose(0, 2, 1) * target_label[:, None, :]).sum(axis=(0, 2))
    )
    loss_by_b_hidden = loss_position_by_b_hidden + 1 / 2 * loss_label_by_b_hidden  # (199)
    loss_position_by_W_position_hidden = running_loss_position_by_W_position_hidden.copy()  # (200)
    loss_label_by_W_position_hidden = (  # (201) bij->ij
        1 / B * logsumexp_label_by_W_position_hidden_t.sum(axis=0)
    )
    loss_label_by_W_position_hidden -= (  # (201) bijk->ij
        1 / B
        * (n_label_by_W_position_hidden_t.transpose(0, 2, 3, 1) * target_label[:, None, None, :]).sum(axis=(0, 3))
    )
    loss_by_W_position_hidden = (  # (202)
        loss_position_by_W_position_hidden
        + 1 / 2 * loss_label_by_W_position_hidden
    )
    loss_position_by_b_position = running_loss_position_by_b_position.copy()  # (203)
    loss_label_by_b_position = 1 / B * logsumexp_label_by_b_position_t.sum(axis=0)  # (204) bi->i
    loss_label_by_b_position -= (  # (204) bij->i
        1 / B
        * (n_label_by_b_position_t.transpose(0, 2, 1) * target_label[:, None, :]).sum(axis=(0, 2))
    )
    loss_by_b_position = loss_position_by_b_position + 1 / 2 * loss_label_by_b_position  # (205)
    loss_label_by_W_label_hidden = (  # (206) bij->ij
        1 / B * logsumexp_label_by_W_label_hidden_t.sum(axis=0)
    )
    loss_label_by_W_label_hidden -= (  # (206) bijk->ij
        1 / B
        * (n_label_by_W_label_hidden_t.transpose(0, 2, 3, 1) * target_label[:, None, None, :]).sum(axis=(0, 3))
    )
    loss_by_W_label_hidden = 1 / 2 * loss_label_by_W_label_hidden  # (207)
    loss_label_by_W_label_hidden_1 = (  # (208) bij->ij
        1 / B * logsumexp_label_by_W_label_hidden_1_t.sum(axis=0)
    )
    loss_label_by_W_label_hidden_1 -= (  # (208) bijk->ij
        1 / B
        * (n_label_by_W_label_hidden_1_t.transpose(0, 2, 3, 1) * target_label[:, None, None, :]).sum(axis=(0, 3))
    )
    loss_by_W_label_hidden_1 = 1 / 2 * loss_label_by_W_label_hidden_1  # (209)
    loss_label_by_b_label = 1 / B * logsumexp_label_by_b_label_t.sum(axis=0)  # (210) bi->i
    loss_label_by_b_label -= (  # (210) bij->i
        1 / B
        * (n_label_by_b_label_t.transpose(0, 2, 1) * target_label[:, None, :]).sum(axis=(0, 2))
    )
    loss_by_b_label = 1 / 2 * loss_label_by_b_label  # (211)
    arrays["loss"] = loss
    arrays["loss_by_W_hidden_x"] = loss_by_W_hidden_x
    arrays["loss_by_W_hidden_x_2"] = loss_by_W_hidden_x_2
    arrays["loss_by_W_hidden_hidden_1"] = loss_by_W_hidden_hidden_1
    arrays["loss_by_W_hidden_position_1"] = loss_by_W_hidden_position_1
    arrays["loss_by_W_hidden_position_3"] = loss_by_W_hidden_position_3
    arrays["loss_by_b_hidden"] = loss_by_b_hidden
    arrays["loss_by_W_position_hidden"] = loss_by_W_position_hidden
    arrays["loss_by_b_position"] = loss_by_b_position
    arrays["loss_by_W_label_hidden"] = loss_by_W_label_hidden
    arrays["loss_by_W_label_hidden_1"] = loss_by_W_label_hidden_1
    arrays["loss_by_b_label"] = loss_by_b_label


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


# What is given, checked at the door.

_DTYPES = tuple(map(np.dtype, ("float32", "float64", "complex128")))
_BIASES = {"b_hidden", "b_label", "b_position"}
# What arrays hold by other names than a caller gives, and the names of gradients.
_GIVEN_AS = {
    ("targets", "position"): "target_position",
    ("targets", "label"): "target_label",
}
_GRADIENTS = {
    "W_hidden_x": "d_W_hidden_x",
    "W_hidden_x_2": "d_W_hidden_x_2",
    "W_hidden_hidden_1": "d_W_hidden_hidden_1",
    "W_hidden_position_1": "d_W_hidden_position_1",
    "W_hidden_position_3": "d_W_hidden_position_3",
    "b_hidden": "d_b_hidden",
    "W_position_hidden": "d_W_position_hidden",
    "b_position": "d_b_position",
    "W_label_hidden": "d_W_label_hidden",
    "W_label_hidden_1": "d_W_label_hidden_1",
    "b_label": "d_b_label",
}
_INPUT_GRADIENTS = {"x": "d_x"}
_INITIAL_GRADIENTS = {
    "x": "d_initial_x", "hidden": "d_initial_hidden", "position": "d_initial_position"
}
_JUDGING = ()


def _prepare(
    parameters, inputs, initial, targets=None, weights=None, judge=True, steps=None, whole=True
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
    arrays["x"] = _extended(T, (B, 2), outside.get("x"), 2, None, 0, dtype)
    arrays["x"][2 : 2 + T] = given_steps
    if whole:
        arrays["hidden"] = _extended(T, (B, 3), outside.get("hidden"), 1, None, 0, dtype)
    else:
        arrays["before", "hidden"] = outside.get("hidden", np.zeros((1, B, 3), dtype))
    if whole:
        arrays["position"] = _extended(T, (B, 1), outside.get("position"), 3, None, 0, dtype)
    else:
        arrays["before", "position"] = outside.get("position", np.zeros((3, B, 1), dtype))
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
# Generated. SHA-256 of all above: 450b93214985164b92ef64671884a3d48c11030c436a55dbad2cb0c0efd74f0e
