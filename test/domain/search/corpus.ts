/**
 * A library as people have one, and what they type to find something in it. Written before the engine, and judged by it: a
 * query that is not found is not taken out, but tells where the engine is weak.
 */

export interface CorpusTrack {
  title: string;
  artist: string;
  album: string;
  /** Null: that of the artist. */
  album_artist: string | null;
}

export interface CorpusQuery {
  q: string;
  kind: 'track' | 'album' | 'artist' | 'playlist' | 'person';
  /** The name of what is wanted: title, album, artist, list or username. */
  wanted: string;
  /** Whose it is, where several have that name. */
  by?: string;
}

/** An album a paragraph: `artist – album`, then its titles; of a compilation each title has its own artist. */
const LIBRARY = `
Queen – A Night at the Opera
Death on Two Legs; Lazing on a Sunday Afternoon; I'm in Love with My Car; You're My Best Friend; '39; Sweet Lady; Seaside Rendezvous; The Prophet's Song; Love of My Life; Good Company; Bohemian Rhapsody; God Save the Queen

Queen – News of the World
We Will Rock You; We Are the Champions; Sheer Heart Attack; All Dead, All Dead; Spread Your Wings; It's Late

Queens of the Stone Age – Songs for the Deaf
No One Knows; Go with the Flow; First It Giveth; Hangin' Tree; A Song for the Dead

The Beatles – Abbey Road
Come Together; Something; Maxwell's Silver Hammer; Oh! Darling; Octopus's Garden; I Want You (She's So Heavy); Here Comes the Sun; Because; You Never Give Me Your Money; Golden Slumbers; Carry That Weight; The End

The Beatles – Revolver
Taxman; Eleanor Rigby; I'm Only Sleeping; Yellow Submarine; Tomorrow Never Knows; Got to Get You into My Life

The Beatles – 1967–1970
Strawberry Fields Forever; Penny Lane; Hey Jude; Let It Be; Blackbird; While My Guitar Gently Weeps; Back in the U.S.S.R.

The Beat – I Just Can't Stop It
Mirror in the Bathroom; Twist & Crawl; Best Friend

Beastie Boys – Licensed to Ill
Fight for Your Right; No Sleep till Brooklyn; Brass Monkey

Led Zeppelin – Led Zeppelin IV
Black Dog; Rock and Roll; The Battle of Evermore; Stairway to Heaven; Misty Mountain Hop; When the Levee Breaks

Pink Floyd – The Dark Side of the Moon
Speak to Me; Breathe (In the Air); Time; The Great Gig in the Sky; Money; Us and Them; Brain Damage; Eclipse

Pink Floyd – Wish You Were Here
Shine On You Crazy Diamond (Parts I–V); Welcome to the Machine; Have a Cigar; Wish You Were Here

P!nk – M!ssundaztood
Get the Party Started; Don't Let Me Get Me; Just Like a Pill; Family Portrait

AC/DC – Back in Black
Hells Bells; Shoot to Thrill; Back in Black; You Shook Me All Night Long; Rock and Roll Ain't Noise Pollution

AC/DC – T.N.T.
It's a Long Way to the Top (If You Wanna Rock 'n' Roll); T.N.T.; High Voltage

Metallica – …And Justice for All
Blackened; …And Justice for All; Eye of the Beholder; One; Harvester of Sorrow; To Live Is to Die

Metallica – Master of Puppets
Battery; Master of Puppets; The Thing That Should Not Be; Welcome Home (Sanitarium); Disposable Heroes; Orion

Nirvana – Nevermind
Smells Like Teen Spirit; In Bloom; Come as You Are; Breed; Lithium; Polly; Territorial Pissings; Drain You; On a Plain; Something in the Way

Nena – Nena
99 Luftballons; Nur geträumt; Leuchtturm; Kino

Motörhead – Ace of Spades
Ace of Spades; Love Me Like a Reptile; The Chase Is Better Than the Catch; (We Are) The Road Crew

Mötley Crüe – Dr. Feelgood
Dr. Feelgood; Kickstart My Heart; Without You

Björk – Homogenic
Hunter; Jóga; Unravel; Bachelorette; All Neon Like; 5 Years; Immature; Alarm Call; Pluto; All Is Full of Love

Sigur Rós – Ágætis byrjun
Svefn-g-englar; Starálfur; Flugufrelsarinn; Ný batterí; Hjartað hamast (bamm bamm bamm); Viðrar vel til loftárása; Olsen Olsen; Ágætis byrjun

Sigur Rós – ( )
Untitled #1 (Vaka); Untitled #3 (Samskeyti); Untitled #8 (Popplagið)

Beyoncé – Lemonade
Pray You Catch Me; Hold Up; Don't Hurt Yourself; Sorry; 6 Inch (feat. The Weeknd); Daddy Lessons; Freedom (feat. Kendrick Lamar); Formation

The Weeknd – After Hours
Alone Again; Too Late; Hardest to Love; Heartless; Faith; Blinding Lights; In Your Eyes; Save Your Tears; After Hours

Kendrick Lamar – good kid, m.A.A.d city
Bitch, Don't Kill My Vibe; Backseat Freestyle; Money Trees; Poetic Justice (feat. Drake); m.A.A.d city; Swimming Pools (Drank)

A$AP Rocky – LONG.LIVE.A$AP
Goldie; PMW (All I Really Need); Fuckin' Problems (feat. Drake, 2 Chainz & Kendrick Lamar); 1 Train

Ke$ha – Animal
TiK ToK; Your Love Is My Drug; Take It Off

Jay-Z – The Blueprint
Izzo (H.O.V.A.); Girls, Girls, Girls; Takeover; Renegade (feat. Eminem)

Eminem – The Eminem Show
Without Me; Cleanin' Out My Closet; Sing for the Moment; 'Till I Collapse

Daft Punk – Discovery
One More Time; Aerodynamic; Digital Love; Harder, Better, Faster, Stronger; Crescendolls; Something About Us; Face to Face

Daft Punk – Random Access Memories
Give Life Back to Music; Instant Crush (feat. Julian Casablancas); Lose Yourself to Dance; Get Lucky (feat. Pharrell Williams & Nile Rodgers)

The Strokes – Is This It
Is This It; The Modern Age; Someday; Last Nite; Hard to Explain

The White Stripes – Elephant
Seven Nation Army; Black Math; The Hardest Button to Button; Ball and Biscuit

The Who – Who's Next
Baba O'Riley; Bargain; Behind Blue Eyes; Won't Get Fooled Again

The The – Soul Mining
I've Been Waitin' for Tomorrow (All of My Life); This Is the Day; Uncertain Smile; Giant

U2 – The Joshua Tree
Where the Streets Have No Name; I Still Haven't Found What I'm Looking For; With or Without You; Bullet the Blue Sky; One Tree Hill

U2 – Achtung Baby
Zoo Station; One; Until the End of the World; Mysterious Ways

R.E.M. – Automatic for the People
Drive; Everybody Hurts; Man on the Moon; Nightswimming

Simon & Garfunkel – Bookends
Mrs. Robinson; America; Old Friends; A Hazy Shade of Winter

Guns N' Roses – Appetite for Destruction
Welcome to the Jungle; Paradise City; Sweet Child o' Mine; Mr. Brownstone

Radiohead – OK Computer
Airbag; Paranoid Android; Subterranean Homesick Alien; Karma Police; No Surprises; Lucky; Let Down

Radiohead – Kid A
Everything in Its Right Place; Kid A; The National Anthem; How to Disappear Completely; Idioteque

Radiohead – In Rainbows
15 Step; Bodysnatchers; Nude; Weird Fishes/Arpeggi; Reckoner; House of Cards; Jigsaw Falling into Place

Massive Attack – Mezzanine
Angel; Risingson; Teardrop; Inertia Creeps; Dissolved Girl

Portishead – Dummy
Mysterons; Sour Times; Strangers; Wandering Star; Roads; Glory Box

Godspeed You! Black Emperor – F♯ A♯ ∞
The Dead Flag Blues; East Hastings; Providence

!!! – Louden Up Now
When the Going Gets Tough, the Tough Get Karazzee; Pardon My Freedom; Me and Giuliani Down by the School Yard

blink‐182 – Enema of the State
Dumpweed; What's My Age Again?; Adam's Song; All the Small Things

Sum 41 – All Killer No Filler
Fat Lip; In Too Deep; Motivation

Maroon 5 – Songs About Jane
Harder to Breathe; This Love; She Will Be Loved; Sunday Morning

30 Seconds to Mars – A Beautiful Lie
Attack; The Kill; From Yesterday

Florence + the Machine – Lungs
Dog Days Are Over; Rabbit Heart (Raise It Up); Cosmic Love; You've Got the Love

Édith Piaf – La Vie en rose
La Vie en rose; Non, je ne regrette rien; Milord; Padam… Padam…; Hymne à l'amour

Stromae – Racine carrée
Papaoutai; Formidable; Tous les mêmes; Ta fête; Ave Cesaria

Céline Dion – Let's Talk About Love
My Heart Will Go On; The Reason; Immortality

Françoise Hardy – Tous les garçons et les filles
Tous les garçons et les filles; Le Temps de l'amour

Rammstein – Mutter
Mein Herz brennt; Links 2 3 4; Sonne; Ich will; Feuer frei!; Mutter

Die Ärzte – Geräusch
Unrockbar; Deine Schuld; Nichts in der Welt; Schrei nach Liebe

Die Toten Hosen – Opium fürs Volk
Bonnie & Clyde; Zehn kleine Jägermeister; Nichts bleibt für die Ewigkeit

Herbert Grönemeyer – Mensch
Mensch; Der Weg; Viertel vor

Kraftwerk – Die Mensch·Maschine
Die Roboter; Spacelab; Metropolis; Das Model; Neonlicht; Die Mensch·Maschine

Antonín Dvořák – Symphonies
Symphony No. 9 in E Minor, Op. 95 "From the New World": II. Largo; Symphony No. 8 in G Major, Op. 88: I. Allegro con brio; Slavonic Dance No. 2

Ludwig van Beethoven – The Symphonies
Symphony No. 5 in C Minor, Op. 67: I. Allegro con brio; Symphony No. 9 in D Minor, Op. 125 "Choral": IV. Presto; Symphony No. 7 in A Major, Op. 92: II. Allegretto

Ludwig van Beethoven – Piano Sonatas
Piano Sonata No. 14 in C-Sharp Minor "Moonlight": I. Adagio sostenuto; Piano Sonata No. 8 in C Minor "Pathétique": II. Adagio cantabile; Bagatelle No. 25 in A Minor "Für Elise"

Johann Sebastian Bach – Cello Suites
Cello Suite No. 1 in G Major, BWV 1007: I. Prélude; Cello Suite No. 3 in C Major, BWV 1009: V. Bourrée I

Frédéric Chopin – Nocturnes
Nocturne No. 2 in E-Flat Major, Op. 9 No. 2; Nocturne No. 20 in C-Sharp Minor

Camille Saint-Saëns – Le Carnaval des animaux
Introduction et marche royale du lion; Aquarium; Le Cygne; Finale

Pyotr Ilyich Tchaikovsky – Swan Lake
Swan Lake, Op. 20, Act II: No. 10 Scène; Dance of the Little Swans

Кино – Группа крови
Группа крови; Закрой за мной дверь, я ухожу; Спокойная ночь; Мама, мы все тяжело больны; Война

Кино – Чёрный альбом
Кончится лето; Красно-жёлтые дни; Звезда; Кукушка

Земфира – Прости меня моя любовь
Искала; Хочешь?; До свидания; Рассветы

Аквариум – Равноденствие
Иван-чай; Великий дворник; Партизаны полной луны

Океан Ельзи – Земля
Обійми; Стріляй; Без тебе

Μάνος Χατζιδάκις – Χαμόγελο της Τζοκόντα
Όταν έρχονται τα σύννεφα; Το κονσέρτο; Οι δολοφόνοι

Βαγγέλης Παπαθανασίου – Δρόμοι της φωτιάς
Δρόμοι της φωτιάς; Αιώνιο φως

宇多田ヒカル – First Love
Automatic; Movin' on without you; First Love; 甘いワナ

きゃりーぱみゅぱみゅ – なんだこれくしょん
にんじゃりばんばん; ファッションモンスター; つけまつける

YMO – ソリッド・ステイト・サヴァイヴァー
テクノポリス; ライディーン; ビハインド・ザ・マスク

椎名林檎 – 無罪モラトリアム
正しい街; 歌舞伎町の女王; 丸の内サディスティック; ここでキスして。

周杰伦 – 七里香
我的地盘; 七里香; 借口; 外婆; 止战之殇

邓丽君 – 淡淡幽情
独上西楼; 但愿人长久; 几多愁

방탄소년단 – 화양연화
I NEED U; 쩔어; 흥탄소년단

아이유 – Palette
밤편지; 사랑이 잘; 팔레트

فيروز – نسم علينا الهوى
نسم علينا الهوى; حبيتك بالصيف; كيفك إنت

שלום חנוך – מחכים למשיח
מחכים למשיח; לא עוצר באדום

Buena Vista Social Club – Buena Vista Social Club
Chan Chan; De camino a la vereda; El cuarto de Tula; Dos gardenias; ¿Y tú qué has hecho?

Café Tacvba – Re
El ciclón; Las flores; Esa noche; La ingrata

Caetano Veloso – Transa
You Don't Know Me; Nine Out of Ten; Triste Bahia

João Gilberto – Chega de saudade
Chega de saudade; Desafinado; Bim bom

Ólafur Arnalds – Re:member
Re:member; Unfold; Saman; Ypsilon

Nils Frahm – Spaces
An Aborted Beginning; Says; Said and Done; Familiar; Over There, It's Raining

Röyksopp – Melody A.M.
So Easy; Eple; In Space; Poor Leno; Remind Me

Mew – Frengers
Am I Wry? No; 156; Comforting Sounds

MØ – No Mythologies to Follow
Fire Rides; Pilgrim; XXX 88

Sufjan Stevens – Illinois
Concerning the UFO Sighting near Highland, Illinois; Come On! Feel the Illinoise!; Jacksonville; Chicago; Casimir Pulaski Day

Fleetwood Mac – Rumours
Second Hand News; Dreams; Never Going Back Again; Don't Stop; Go Your Own Way; Songbird; The Chain

Dreams – Dreams
Devil Lady; Dream Suite; New York

The Cranberries – Everybody Else Is Doing It, So Why Can't We?
Dreams; Sunday; Pretty; Linger

Kate Bush – Hounds of Love
Running Up That Hill (A Deal with God); Hounds of Love; Cloudbusting; Hello Earth

David Bowie – The Rise and Fall of Ziggy Stardust and the Spiders from Mars
Five Years; Moonage Daydream; Starman; Ziggy Stardust; Suffragette City

David Bowie – "Heroes"
Beauty and the Beast; "Heroes"; Sons of the Silent Age

Miles Davis – Kind of Blue
So What; Freddie Freeloader; Blue in Green; All Blues; Flamenco Sketches

John Coltrane – A Love Supreme
Acknowledgement; Resolution; Pursuance; Psalm

Thelonious Monk – Brilliant Corners
Brilliant Corners; Pannonica; Bemsha Swing

Amy Winehouse – Back to Black
Rehab; You Know I'm No Good; Back to Black; Love Is a Losing Game

Alice in Chains – Dirt
Them Bones; Rooster; Would?; Down in a Hole

Tool – 10,000 Days
Vicarious; Jambi; 10,000 Days (Wings, Pt. 2); Rosetta Stoned

Tool – Lateralus
The Grudge; Schism; Parabola; Lateralus

Boards of Canada – Music Has the Right to Children
Telephasic Workshop; Roygbiv; Aquarius; An Eagle in Your Mind

Aphex Twin – Selected Ambient Works 85–92
Xtal; Tha; Ageispolis; Heliosphan; Ptolemy

Prince – 1999
1999; Little Red Corvette; Delirious; D.M.S.R.

a‐ha – Hunting High and Low
Take On Me; The Sun Always Shines on T.V.; Hunting High and Low

ABBA – Arrival
When I Kissed the Teacher; Dancing Queen; Knowing Me, Knowing You; Money, Money, Money; Fernando

Earth, Wind & Fire – I Am
In the Stone; Boogie Wonderland; After the Love Has Gone

Crosby, Stills, Nash & Young – Déjà vu
Carry On; Teach Your Children; Our House; Déjà vu

Bob Marley & The Wailers – Exodus
Natural Mystic; Exodus; Jamming; Waiting in Vain; Three Little Birds; One Love / People Get Ready

Manu Chao – Clandestino
Clandestino; Desaparecido; Bongo Bong; Je ne t'aime plus; Mentira…

Various Artists – Pulp Fiction
Misirlou :: Dick Dale; Jungle Boogie :: Kool & the Gang; Let's Stay Together :: Al Green; Son of a Preacher Man :: Dusty Springfield; You Never Can Tell :: Chuck Berry; Girl, You'll Be a Woman Soon :: Urge Overkill

Various Artists – Now That's What I Call Music! 45
Groovejet (If This Ain't Love) :: Spiller feat. Sophie Ellis-Bextor; Rock DJ :: Robbie Williams; Life Is a Rollercoaster :: Ronan Keating; Freestyler :: Bomfunk MC's; American Pie :: Madonna; Breathless :: The Corrs

Various Artists – Trainspotting
Lust for Life :: Iggy Pop; Perfect Day :: Lou Reed; Born Slippy .NUXX :: Underworld; Atomic :: Sleeper; Temptation :: New Order

Various Artists – Amélie
Comptine d'un autre été, l'après-midi :: Yann Tiersen; La Valse d'Amélie :: Yann Tiersen; J'y suis jamais allé :: Yann Tiersen

Johnny Cash – American IV: The Man Comes Around
The Man Comes Around; Hurt; Personal Jesus; Bridge over Troubled Water

Depeche Mode – Violator
World in My Eyes; Personal Jesus; Halo; Enjoy the Silence; Policy of Truth

Nine Inch Nails – The Downward Spiral
Mr. Self Destruct; Closer; March of the Pigs; Hurt

Deep Purple – Machine Head
Highway Star; Smoke on the Water; Space Truckin'

Prefuse 73 – One Word Extinguisher
The End of Biters; Plastic; Uprock and Invigorate

Stone Roses – The Stone Roses
I Wanna Be Adored; She Bangs the Drums; Waterfall; I Am the Resurrection

The Rolling Stones – Let It Bleed
Gimme Shelter; Love in Vain; Midnight Rambler; You Can't Always Get What You Want

The Rolling Stones – Aftermath
Paint It, Black; Under My Thumb; Mother's Little Helper

The Clash – London Calling
London Calling; Train in Vain; Lost in the Supermarket; The Guns of Brixton

The Cure – Disintegration
Plainsong; Pictures of You; Lovesong; Lullaby; Fascination Street

The Smiths – The Queen Is Dead
The Queen Is Dead; There Is a Light That Never Goes Out; Bigmouth Strikes Again
`;

export const TRACKS: readonly CorpusTrack[] = LIBRARY.trim()
  .split(/\n\n+/)
  .flatMap((paragraph) => {
    const [heading = '', titles = ''] = paragraph.split('\n');
    const [owner = '', album = ''] = heading.split(' – ');
    return titles.split('; ').map((line) => {
      const [title = '', artist = owner] = line.split(' :: ');
      return { title, artist, album, album_artist: artist === owner ? null : owner };
    });
  });

/** Lists somebody keeps, and people there are, for the queries below. */
export const PLAYLISTS = [
  'Sommerabend',
  'Summer Evening',
  'Running 180 bpm',
  'Kochen & Backen',
  'Für Oma',
  'Road Trip 2019',
  'Road Rage',
  'Rainy Sunday',
  "Lena's favourites",
  'Техно',
  'Jazz for Beginners',
  'Sleep',
  'Sleepless',
  'Work – deep focus',
] as const;
export const PEOPLE = ['benjamin', 'benedikt', 'charlotte', 'charlie.brown', 'francois', 'mei_lin'] as const;

/** `kind: typed → wanted [@ by]` */
const QUERIES = `
track: bohemian rhapsody → Bohemian Rhapsody
track: bohem → Bohemian Rhapsody
track: bohemian rapsody → Bohemian Rhapsody
track: bohemain → Bohemian Rhapsody
track: boheiman rhapsody → Bohemian Rhapsody
track: queen bohemian → Bohemian Rhapsody
track: bohemian queen → Bohemian Rhapsody
track: rhapsody bohemian → Bohemian Rhapsody
track: bohemianrhapsody → Bohemian Rhapsody
track: queen bohemian rhapsody official video → Bohemian Rhapsody
track: your my best friend → You're My Best Friend
track: youre my best friend → You're My Best Friend
track: im in love with my car → I'm in Love with My Car
track: 39 queen → '39
track: love of my life → Love of My Life
track: we will rok you → We Will Rock You
track: we are the chanpions → We Are the Champions
track: all dead → All Dead, All Dead
artist: queen → Queen
artist: quen → Queen
artist: queeen → Queen
artist: wueen → Queen
artist: queens of the → Queens of the Stone Age
artist: queens stone age → Queens of the Stone Age
artist: stone age → Queens of the Stone Age
album: night at the opera → A Night at the Opera
album: a nigth at the opera → A Night at the Opera
album: opera queen → A Night at the Opera
album: the queen is dead → The Queen Is Dead
track: no one knows → No One Knows
artist: beatles → The Beatles
artist: the beatles → The Beatles
artist: beatels → The Beatles
artist: beetles → The Beatles
artist: baetles → The Beatles
artist: the betles → The Beatles
artist: beatles the → The Beatles
artist: the beat → The Beat
artist: beat → The Beat
artist: beasty boys → Beastie Boys
album: abbey road → Abbey Road
album: abby road → Abbey Road
album: abbeyroad → Abbey Road
album: album abbey road → Abbey Road
album: beatles abbey → Abbey Road
album: 1967-1970 → 1967–1970
album: beatles 1967 → 1967–1970
track: come together → Come Together
track: octopuses garden → Octopus's Garden
track: octopus garden → Octopus's Garden
track: here comes the son → Here Comes the Sun
track: elenor rigby → Eleanor Rigby
track: elanor rigby beatles → Eleanor Rigby
track: yelow submarine → Yellow Submarine
track: yellow sub → Yellow Submarine
track: black bird → Blackbird
track: back in the ussr → Back in the U.S.S.R.
track: back in the u.s.s.r → Back in the U.S.S.R.
track: hey jud → Hey Jude
track: let it be → Let It Be
track: song hey jude → Hey Jude
track: something → Something
track: something beatles → Something
track: the end → The End
artist: led zep → Led Zeppelin
artist: led zepelin → Led Zeppelin
artist: ledzeppelin → Led Zeppelin
artist: zeppelin → Led Zeppelin
track: stairway → Stairway to Heaven
track: stariway to heaven → Stairway to Heaven
track: led zeppelin stairway to heaven → Stairway to Heaven
track: zepelin stairway → Stairway to Heaven
track: black dog → Black Dog
album: led zeppelin iv → Led Zeppelin IV
artist: pink floyd → Pink Floyd
artist: pink floid → Pink Floyd
artist: pinkfloyd → Pink Floyd
artist: floyd pink → Pink Floyd
artist: p!nk → P!nk
artist: pink → P!nk
album: dark side of the moon → The Dark Side of the Moon
album: darkside of the moon → The Dark Side of the Moon
album: dark side moon pink floyd → The Dark Side of the Moon
album: wish you where here → Wish You Were Here
track: shine on you crazy diamond → Shine On You Crazy Diamond (Parts I–V)
track: shine on → Shine On You Crazy Diamond (Parts I–V)
track: money → Money
track: money floyd → Money
album: missundaztood → M!ssundaztood
artist: acdc → AC/DC
artist: ac/dc → AC/DC
artist: ac dc → AC/DC
artist: ac-dc → AC/DC
track: tnt → T.N.T.
track: t.n.t. → T.N.T.
track: back in blck → Back in Black
track: acdc back in black → Back in Black
track: its a long way → It's a Long Way to the Top (If You Wanna Rock 'n' Roll)
track: long way to the top → It's a Long Way to the Top (If You Wanna Rock 'n' Roll)
track: you shok me → You Shook Me All Night Long
artist: metalica → Metallica
artist: metallca → Metallica
artist: металлика → Metallica
album: and justice for all → …And Justice for All
album: ...and justice → …And Justice for All
album: justice metallica → …And Justice for All
track: master of pupets → Master of Puppets
track: one metallica → One @ Metallica
track: one u2 → One @ U2
track: u2 one → One @ U2
artist: nirvna → Nirvana
artist: nrivana → Nirvana
track: smels like teen spirit → Smells Like Teen Spirit
track: teen spirit → Smells Like Teen Spirit
track: smells like → Smells Like Teen Spirit
track: nirvana lithium → Lithium
track: 99 luftballons → 99 Luftballons
track: 99 → 99 Luftballons
track: luftbalons → 99 Luftballons
track: luftballon → 99 Luftballons
track: nur getraumt → Nur geträumt
track: nur getraeumt → Nur geträumt
artist: motorhead → Motörhead
artist: motoerhead → Motörhead
artist: mötorhead → Motörhead
artist: motley crue → Mötley Crüe
track: dr feelgood → Dr. Feelgood
track: kickstart my hart → Kickstart My Heart
artist: bjork → Björk
artist: bjoerk → Björk
artist: björk → Björk
artist: bjrok → Björk
track: joga → Jóga
artist: sigur ros → Sigur Rós
album: agaetis byrjun → Ágætis byrjun
track: svefn g englar → Svefn-g-englar
track: svefngenglar → Svefn-g-englar
track: staralfur → Starálfur
track: vidrar vel → Viðrar vel til loftárása
artist: beyonce → Beyoncé
artist: beyonse → Beyoncé
track: formation beyonce → Formation
track: freedom kendrick → Freedom (feat. Kendrick Lamar)
artist: weeknd → The Weeknd
artist: the weekend → The Weeknd
track: blinding ligths → Blinding Lights
track: blindng → Blinding Lights
track: maad city → m.A.A.d city
album: good kid maad city → good kid, m.A.A.d city
artist: kendrik lamar → Kendrick Lamar
artist: asap rocky → A$AP Rocky
artist: kesha → Ke$ha
track: tik tok → TiK ToK
track: tiktok → TiK ToK
artist: jay z → Jay-Z
artist: jayz → Jay-Z
track: izzo hova → Izzo (H.O.V.A.)
artist: eminen → Eminem
artist: daftpunk → Daft Punk
artist: daft pnuk → Daft Punk
track: harder better → Harder, Better, Faster, Stronger
track: harder beter faster stronger → Harder, Better, Faster, Stronger
track: get lucky pharell → Get Lucky (feat. Pharrell Williams & Nile Rodgers)
track: get lucky daft punk → Get Lucky (feat. Pharrell Williams & Nile Rodgers)
artist: strokes → The Strokes
artist: white strips → The White Stripes
track: seven nation army → Seven Nation Army
track: white stripes seven nation → Seven Nation Army
artist: the who → The Who
artist: who → The Who
artist: the the → The The
track: baba oriley → Baba O'Riley
track: baba o reilly → Baba O'Riley
artist: u2 → U2
track: with or witout you → With or Without You
artist: rem → R.E.M.
artist: r.e.m → R.E.M.
track: rem everybody hurts → Everybody Hurts
artist: simon and garfunkel → Simon & Garfunkel
artist: simon garfunkle → Simon & Garfunkel
track: mrs robinson → Mrs. Robinson
artist: guns n roses → Guns N' Roses
artist: guns and roses → Guns N' Roses
track: sweet child of mine → Sweet Child o' Mine
artist: raidohead → Radiohead
album: ok computer → OK Computer
album: okcomputer → OK Computer
album: kid a → Kid A
track: karma polise → Karma Police
track: weird fishes → Weird Fishes/Arpeggi
artist: masive attack → Massive Attack
track: tear drop → Teardrop
artist: godspeed you black emperor → Godspeed You! Black Emperor
artist: !!! → !!!
artist: blink 182 → blink‐182
artist: blink182 → blink‐182
artist: maroon five → Maroon 5
artist: florence and the machine → Florence + the Machine
artist: florence machine → Florence + the Machine
artist: edith piaf → Édith Piaf
track: je ne regrette rien → Non, je ne regrette rien
track: non je ne regrete rien → Non, je ne regrette rien
track: hymne a lamour → Hymne à l'amour
track: tous les memes → Tous les mêmes
artist: celine dion → Céline Dion
artist: francoise hardy → Françoise Hardy
artist: ramstein → Rammstein
artist: rammstien → Rammstein
artist: die arzte → Die Ärzte
artist: aerzte → Die Ärzte
track: zehn kleine jaegermeister → Zehn kleine Jägermeister
artist: gronemeyer → Herbert Grönemeyer
artist: groenemeyer → Herbert Grönemeyer
artist: grönemeier → Herbert Grönemeyer
album: mensch maschine → Die Mensch·Maschine
artist: dvorak → Antonín Dvořák
artist: dvorzak → Antonín Dvořák
track: new world largo → Symphony No. 9 in E Minor, Op. 95 "From the New World": II. Largo
track: beethoven moonlight → Piano Sonata No. 14 in C-Sharp Minor "Moonlight": I. Adagio sostenuto
track: beethoven 5 → Symphony No. 5 in C Minor, Op. 67: I. Allegro con brio
track: beethoven symphony no 9 → Symphony No. 9 in D Minor, Op. 125 "Choral": IV. Presto
track: fur elise → Bagatelle No. 25 in A Minor "Für Elise"
track: fuer elise → Bagatelle No. 25 in A Minor "Für Elise"
artist: bethoven → Ludwig van Beethoven
artist: beethovn → Ludwig van Beethoven
track: bwv 1007 → Cello Suite No. 1 in G Major, BWV 1007: I. Prélude
artist: chopin → Frédéric Chopin
artist: saint saens → Camille Saint-Saëns
artist: tchaikovski → Pyotr Ilyich Tchaikovsky
artist: tschaikovsky → Pyotr Ilyich Tchaikovsky
artist: кино → Кино
artist: kino → Кино
album: группа крови → Группа крови
track: gruppa krovi → Группа крови
track: группа кров → Группа крови
track: група крови → Группа крови
album: черный альбом → Чёрный альбом
track: kukushka → Кукушка
artist: zemfira → Земфира
track: хочешь → Хочешь?
artist: akvarium → Аквариум
artist: okean elzi → Океан Ельзи
artist: χατζιδακις → Μάνος Χατζιδάκις
artist: manos hatzidakis → Μάνος Χατζιδάκις
track: δρομοι της φωτιας → Δρόμοι της φωτιάς
artist: 宇多田 → 宇多田ヒカル
artist: ヒカル → 宇多田ヒカル
artist: きゃりー → きゃりーぱみゅぱみゅ
artist: kyari pamyu → きゃりーぱみゅぱみゅ
track: tekunoporisu → テクノポリス
track: ライディーン → ライディーン
track: raidin → ライディーン
track: 歌舞伎町 → 歌舞伎町の女王
artist: 周杰伦 → 周杰伦
artist: zhou jielun → 周杰伦
album: 七里 → 七里香
artist: 방탄 → 방탄소년단
artist: 아이유 → 아이유
track: 밤편지 → 밤편지
artist: فيروز → فيروز
track: עוצר באדום → לא עוצר באדום
artist: buena vista → Buena Vista Social Club
track: y tu que has hecho → ¿Y tú qué has hecho?
artist: cafe tacuba → Café Tacvba
artist: joao gilberto → João Gilberto
artist: olafur arnalds → Ólafur Arnalds
album: remember → Re:member
artist: royksopp → Röyksopp
artist: royksop → Röyksopp
artist: mo → MØ
artist: moe → MØ
album: illinoise → Illinois
track: sufjan chicago → Chicago
artist: sufjan stephens → Sufjan Stevens
track: dreams → Dreams @ Fleetwood Mac
track: dreams cranberries → Dreams @ The Cranberries
track: fleetwood dreams → Dreams @ Fleetwood Mac
artist: dreams → Dreams
album: rumors → Rumours
artist: fletwood mac → Fleetwood Mac
track: runing up that hill → Running Up That Hill (A Deal with God)
album: ziggy stardust → The Rise and Fall of Ziggy Stardust and the Spiders from Mars
track: ziggy stardust → Ziggy Stardust
album: heroes → "Heroes"
track: bowie heros → "Heroes"
track: so what miles → So What
artist: coltrain → John Coltrane
artist: theloneous monk → Thelonious Monk
album: back to black → Back to Black
track: back to black amy → Back to Black
track: would → Would?
album: 10000 days → 10,000 Days
album: 10,000 days tool → 10,000 Days
artist: tool → Tool
artist: afex twin → Aphex Twin
track: 1999 → 1999
artist: aha → a‐ha
artist: a-ha → a‐ha
track: take on me aha → Take On Me
track: dancing qeen → Dancing Queen
track: knowing me knowing you → Knowing Me, Knowing You
artist: earth wind and fire → Earth, Wind & Fire
artist: crosby stills nash → Crosby, Stills, Nash & Young
album: deja vu → Déjà vu
artist: bob marley → Bob Marley & The Wailers
artist: marley wailers → Bob Marley & The Wailers
track: one love → One Love / People Get Ready
album: pulp fiction → Pulp Fiction
track: pulp fiction misirlou → Misirlou
track: dusty springfield preacher → Son of a Preacher Man
track: groovejet spiller → Groovejet (If This Ain't Love)
album: now thats what i call music 45 → Now That's What I Call Music! 45
album: now 45 → Now That's What I Call Music! 45
track: born slippy → Born Slippy .NUXX
track: comptine d'un autre ete → Comptine d'un autre été, l'après-midi
track: comptine autre → Comptine d'un autre été, l'après-midi
album: amelie → Amélie
track: hurt cash → Hurt @ Johnny Cash
track: hurt nine inch nails → Hurt @ Nine Inch Nails
track: personal jesus depeche → Personal Jesus @ Depeche Mode
track: jonny cash personal jesus → Personal Jesus @ Johnny Cash
artist: depech mode → Depeche Mode
track: smoke on the wather → Smoke on the Water
artist: rolling stones → The Rolling Stones
artist: roling stones → The Rolling Stones
artist: stones → The Rolling Stones
track: paint it black → Paint It, Black
track: cant always get what you want → You Can't Always Get What You Want
track: london caling clash → London Calling
artist: cure → The Cure
track: love song → Lovesong
track: there is a light → There Is a Light That Never Goes Out
playlist: sommer → Sommerabend
playlist: sumer evening → Summer Evening
playlist: running → Running 180 bpm
playlist: kochen und backen → Kochen & Backen
playlist: fur oma → Für Oma
playlist: fuer oma → Für Oma
playlist: road trip → Road Trip 2019
playlist: roadtrip → Road Trip 2019
playlist: rainy sonday → Rainy Sunday
playlist: lenas fav → Lena's favourites
playlist: techno → Техно
playlist: tekhno → Техно
playlist: playlist sleep → Sleep
playlist: jaz for beginners → Jazz for Beginners
playlist: deep focus → Work – deep focus
person: benjamin → benjamin
person: benj → benjamin
person: ben → benedikt
person: char → charlotte
person: charlie → charlie.brown
person: FRANCOIS → francois
person: mei_l → mei_lin
`;

export const CORPUS: readonly CorpusQuery[] = QUERIES.trim()
  .split('\n')
  .map((line) => {
    const [, kind, q, wanted, by] = /^(\w+): (.*) → (.*?)(?: @ (.*))?$/.exec(line)!;
    return { kind: kind as CorpusQuery['kind'], q: q!, wanted: wanted!, ...(by === undefined ? {} : { by }) };
  });
