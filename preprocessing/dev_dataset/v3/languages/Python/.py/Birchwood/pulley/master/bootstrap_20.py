#!/usr/bin/env python3
#
# Installs pulley where there is no
# pip. Run it as any other script.
#
# Why so long?
# Below is a giant blob of binary data: the package itself, packed and written
# as text, so that this one file is enough.

import base64
import io
import sys
import zipfile
import zlib

DATA = b"""
c-kG8S)wB$2u1&EH3*`z9Gv#QgdFqJuaj67!kwJ!W-I&N-Iumow6~PLW{*{yw&VBCGnbys9Xab=k#~
x%F7>qBU!Sw&S(Y>BDlKf>(n{T>6z{X#;z#D}BJCX4lu}PIFU@Y9H++28aurQy6KQwb)L1J#_Km2kR
Wa&`9!+dWFS~kQJe{+pww?3qW1SIlE8EYw?Ml8Um&h&FeO$G}5iDEH-pxwSHlm&D_qf#j+EnW&c)#9
gafjSC=4moYxtVq6m6<id`sjUC&n0Kb4k^;>8f?J-D~;4Xb}y>5aZ9bsg_jS%HICQgQ~IEL?0Kxs8M
E5ex4}80^+c!6SzBhYe^=UVvsmHplpI0jEyfvjDsAXGS8D0AnSCKsWld*5(@c(!xtLekeX`Lsnz<*P
A4`{?-tHSnuQ7+@>8F2XZq2q#oJmNO>dmK>#doV;2|d6-QW%<ng}7C^jbMY$grk3Na8uT?y@sBfTNz
8a^lku=t~KdTo>;={)5Xmw)uVJ#nX$hpdy9@DRYS7Nd%TWWm`feE_t8q4Tg|z9a?;#G&9e+EXNH&0V
-*3my_)4HM|_^_p<4Ipv#M!EH9%{3dD*tEl+)r+`My5-cljol#ngS~740#maqcq=Kvvm$=+17%S8Q{
&U{89YXXLIbpR{zN!*R3toT*zq>17#xyPVp32QxFe?OkJ?*&;{V-hzRj6JL*Din(Bp)$O3P&LjP<0m
4{Qz;5RhwU3fxfveue9YejA%fb(Sl@dD6a(V)s8f*i{y-6F*)`^xwV_ee<sX^r0ORLp#?g_siD`6H>
+0r#Y)7?PHN(OL?TFU8sE`YNeXRHO>wYsKyqt5H!VeSnC0{^%^H^T^VucNC8V*-)V1wPOMYv3aCWB{
y0a5&qC?9e^9IUKAw%m*}sexCtymfYR?+=i&A?r}g%GHEXs=RlYBC3IB=Z>Gc90b$_h5^z<QCcE3wp
2n6HbThi1i|X#40vYX-*qH#f0=zu?0>s5AcjaHBIs<=0hBVh5yX-KXKnwzmDt_3Y#^wODw({}y&=Uo
P4z1}3q(j?$Lsd1}V_NQ5>)g@u?tAj{>yCziBgzUeRt-RCj>@Mt(BMdgpGvoTDl`O<HHSd{*4p`wjF
D5+a<d1IdmEnBN7*nV5lk<4YI}+U<=ZZ@{WK`T^Sh0&GqB~}@7x8@LaXbC^=pD(MM)7v_5<3{Mok0<
-LsLy>ufCg)*O!w)_h%fEo%hA7ujsb>~ILwRNu?cVeCdX9oj(~E=sMwzv{uEXYDBQjjr?#h&9oD_rb
0DSsM44AQpg}ncZ%^T#Z9TyM6c1HppG@99It-WDlr&B-?aUqYVT*?zN}q=aHf^v>m68wZFYjE5i5(@
=2@0msQvs6Ou7Dv;_HNcg(YfIZ&{EgC^KJoPNmPf-XR()jiP?l$3e{Z7P`9QP8MkwpxqpVT2BTaaN9
BwO;%9tOCY)CDMu>)e;mtVZWAid}~a^v!hIaf#zV2)?yh)3l@9_EyEe1H(C!TZ$noO)g&Ub;YjGJr?
1maqeBzxb;r%0yi5-M9TZBgbZS6*P&6A00gj|Y@|+%EJl7{0c;zuSfS;~+qhB}XH_t|iT4K0ECt<;T
YboF_54=J$>Z}9LdS83*6{=b_>|;_Kf|AY0=C!+`)Ez!SjlrtaPC+8N#zjj6DIY~^y;Tc3J!p85oca
a67*!jhFRLtU!)ZK%n+PM^LWK@!9EHwf;aP9LWy5H%1e0ApX7YEGB!HaJageOIqw6YX1C6=-BAAyN&
u%T(z~Hy+)z*GK{{gCT(9ud7>4?Q@^maFlW*P97wg@d{nIh+u@a9Aj+sHC;?yMhPmn-RanL-Yj=tF&
(0axRvyJPLc?_;OUJLd}>LSahl<pqQf)z4@5a>9<iiirg}i6aOWo)&~ZtOQW50&vK9&50m;L*^S-KR
i=8Q5PSu%UDUk>b3HoB@a^&kVy*h$IFU_Q3h|W1f3vJ_;*!G%Gr!`0ax3M@iGa{y@EY&%_5{eRAiz@
B(pn+U<H2|#|>wS13R!$d51zau%0XvTOR3Xtn!5ce8)Za)A43gz-fU>Bo-3N78l~KFSv8{B?lz1?-v
S$5DSe470mU>gKw{mH7pwAX#JVvL#vSByw(YRrvh0c*wRpW*wjYsD`D50jj<eyGqS@(`UmofihbR&G
~f7H9ZFz;EkzM-CDr&a46_7^v?v;Lq3_5KrWeuK(~_9ik)2r%W^ur?w@GAvF{&zahv9F8M7c(WAe{3
&fM->~@Z4>q$}7M_C5_eIa3D^*j1){@53PicK1p?zbVos`-AfYwzS|jZjI#G)ZbRE+{39%Bay~W@cp
4fAfgQe+Wf`mvnnL6NxvO<(dp~lWKj<Z~<SB(E$!<NazNZPuBm<B@(xAzfM2JfqYuld752iqdBvX=P
VE;Xv@#6L1cX1)O@Sr{okr&U0E@B07nY#yELzIEZ{fL%?Us5d;r2WWgA?o~DF`qv+5~~by?u#!8EiT
G}^fhLEJ=*6K!{V+Da&L|ar2BM~dl5KqJvh>h<%1T_@h(<%yy<p0O+yO-!$`KMCJ-c@AHhn1g_GwK7
NPJQc@zFn)BTKlBZ<2USpq4N*Mo5Y&^zkt6%)m3fq>u&H_>w;6O*FBj22_U1Rr)oYJw(kMf(cpVuqE
w3U?=Ne035Iu~09w<HrMJHj+Gq#1j||0A4cQc}anKzS-^*vQ7&a_ds$9J^oyW$cJDcP49Ao&!X@PRV
F}F2t?<JKIFq4Dp?s_Ca7>)kRP~g9(=gIN-j)!4Cqf&4h9EZ2`En;525T!ZgSX~HL|+1jLo^3a5;3O
7UxHNQB`?w5qXBgy|TGIqH^hy{o%ihOcwUUrg8lN{0<K|7M8?qh8s(~Fv}$f6FX!vC{T#yIDYo^0|i
ngG5
"""


def unpack(target):
    packed = base64.b85decode(DATA.replace(b"\n", b""))
    with zipfile.ZipFile(io.BytesIO(zlib.decompress(packed))) as package:
        package.extractall(target)


if __name__ == "__main__":
    unpack(sys.argv[1] if len(sys.argv) > 1 else ".")
