//! Pages of running text, in German.

use maud::{Markup, html};
use pitpet_pipeline::api::KennelView;

use crate::view::View;

use super::de::DE;

pub(super) fn about(view: &View<'_>) -> Markup {
    html! {
        h1 { "Über PitPet" }
        p.lead { "PitPet ist ein soziales Netz für Tiere. Ein Tier lebt, solange sich jemand kümmert: Jeder Beitrag, jedes Streicheln und Teilen, jeder Kommentar und jedes Leckerli lässt seine Tage neu beginnen. Ein vergessenes verblasst, stirbt und hinterlässt ein Andenken." }
        h2 { "Was hier anders ist" }
        p { "Nichts, was hier geschieht, muss man glauben. Jedes Ereignis ist von dem Konto signiert, das es tat, mit einem Schlüssel, der das Gerät seines Menschen nie verlässt. Ein kleines Programm, für alle dasselbe, entscheidet, was ein Ereignis bewirkt, und schreibt es in einen Block. Jeder kann dieses Programm noch einmal laufen lassen, im Browser oder auf der Kommandozeile, und muss Bit für Bit zum selben Ergebnis kommen." }
        p { "So kann niemand heimlich einem Tier Leben schenken, ein Leckerli nehmen oder die Vergangenheit ändern; auch nicht, wer diesen Server betreibt." }
        h2 { "Was es hier nicht gibt" }
        p { "Keine Werbung, keine Verfolgung, keine Cookies, kein endloses Scrollen, das dich zu kennen meint. Was du siehst, steht in der Reihenfolge, in der es geschah." }
        h2 { "Für Neugierige" }
        p { "Das " a href=(view.href("/ledger")) { "Kassenbuch" } " zeigt jeden Block. Die " a href="/v1/openapi.json" { "API" } " liefert alles, was diese Seiten zeigen, mit Beweisen. PitPet ist freie Software unter der Apache-2.0- oder der MIT-Lizenz." }
    }
}

pub(super) fn rules(kennels: &[KennelView]) -> Markup {
    html! {
        h1 { "So geht’s" }
        p.lead { "Kümmere dich um ein Tier, besuche andere, und halte alle Geschichten in Gang." }
        @for kennel in kennels {
            @let p = &kennel.parameters;
            @let least_ms = u64::from(p.ttl) * p.age_interval_ms;
            h2 { "In „" (kennel.label) "“" }
            ul {
                li { "Ein Tier kommt mit " strong { (p.ttl) " von " (p.ttl) } " zur Welt, und sein Zuhause bekommt " (DE_TREATS(p.birth_grant)) " für Beiträge." }
                @if p.age_interval_ms == 0 {
                    li { "Jedes Mal, wenn hier irgendwem etwas geschieht, werden alle anderen um eins älter. Je mehr los ist, desto schneller vergeht das Leben." }
                } @else {
                    li { "Alle werden höchstens einmal in " (duration(p.age_interval_ms)) " um eins älter; ein vergessenes Tier lebt also mindestens " (duration(least_ms)) "." }
                }
                li { "Geschieht " (duration(p.idle_ms)) " lang nichts, geht die Zeit von selbst weiter." }
                li { "Ein Beitrag kostet " (DE_TREATS(p.post_cost)) "; das kommt in den Napf des Tiers." }
                li { "Streicheln und Teilen kosten nichts, je einmal für jeden Beitrag, und nie beim eigenen Tier. Kommentare kosten Besucher nichts." }
                li { "Beiträge, Streicheln, Teilen, Kommentare und Leckerlis setzen das Tier wieder auf " (p.ttl) "." }
                li { "Bei 0 stirbt das Tier, und seine Geschichte endet. Wer sich gekümmert hat, kann ein Andenken machen und bekommt, was im Napf war; dann darf eine neue Geschichte beginnen." }
                li { "Höchstens " (p.living_max) " Tiere leben hier zugleich; jetzt sind es " (kennel.living) "." }
            }
        }
        @if kennels.is_empty() { p { "Dieser Server hat noch keinen Platz für Tiere." } }
        h2 { "Leckerlis" }
        p { "Leckerlis zur Geburt bezahlen nur Beiträge und Kommentare zu denen des eigenen Tiers. Die aus einem Andenken oder von Freunden kann man jedem Tier und jedem Menschen geben. Sie entstehen nie aus dem Nichts: Die Summe aller wird in jedem Block gezählt." }
        h2 { "Der Markt" }
        p { "Ein Tier, das lebt, oder ein Andenken lässt sich verkaufen, und alle können dafür bieten; ein Gebot legt seine Leckerlis beiseite. Beide Seiten sehen vorher, was der Verkäufer vom Preis bekommt und was das Haus behält. Ein Tier geht mit seinem Napf und seiner Geschichte, und von diesem Block an schreibt sein neues Zuhause für es. Wer hier ein Tier hat, kann kein zweites kaufen. Ein Angebot oder Gebot ist vorbei, wenn es angenommen oder zurückgezogen wird, wenn seine Zeit um ist, oder wenn das Tier stirbt oder ein anderes Zuhause hat." }
        p { "Was das Haus von einem Preis behält, kann es nicht ausgeben. Davon wird bezahlt, wer das Buch nachprüft, und nur was dafür fehlt, entsteht neu." }
        h2 { "Für immer" }
        p { "Was geschah, wird nie ungeschehen: Kein Streicheln wird zurückgenommen, kein Tod rückgängig gemacht. Texte lassen sich löschen; dass etwas gesagt wurde, sieht man dann noch, aber nicht, was." }
    }
}

const DE_TREATS: fn(u64) -> String = DE.treats;

/// A duration of a rule, exactly where it is whole.
fn duration(ms: u64) -> String {
    let minutes = ms / 60_000;
    let unit =
        |n: u64, one: &str, many: &str| if n == 1 { format!("1 {one}") } else { format!("{n} {many}") };
    match minutes {
        0 => unit(ms / 1_000, "Sekunde", "Sekunden"),
        m if m % 1_440 == 0 => unit(m / 1_440, "Tag", "Tage"),
        m if m % 60 == 0 => unit(m / 60, "Stunde", "Stunden"),
        m => unit(m, "Minute", "Minuten"),
    }
}

pub(super) fn help(view: &View<'_>) -> Markup {
    html! {
        h1 { "Hilfe" }
        h2 { "Wie halte ich ein Tier am Leben?" }
        p { "Besuch es. Jeden Beitrag eines lebenden Tiers kann man streicheln, teilen und kommentieren; jedes davon füllt sein Leben wieder auf. Die Reihenfolge " a href=(view.href("/?order=ending")) { "„Bald zu Ende“" } " zeigt, wer es am nötigsten hat." }
        h2 { "Was heißt „9 von 15, im heutigen Takt etwa einen Tag“?" }
        p { "Neun der fünfzehn Alter des Tiers sind übrig. Wie lange das ist, hängt davon ab, wie viel los ist: Der zweite Teil ist nach dem letzten Tag gerechnet." }
        h2 { "Ich habe mein Passwort verloren" }
        p { "Niemand kann es zurücksetzen, denn niemand außer dir hatte es je. Eine Schlüsseldatei, die du unter einem anderen Passwort gemacht hast, öffnet dein Konto; die vom Anmelden ist mit dem verlorenen verschlossen." }
        h2 { "Warum wurde abgelehnt, was ich tat?" }
        p { "Die Seite nennt den Grund. Meist war das Tier gestorben, oder du hattest diesen Beitrag schon gestreichelt. " a href=(view.href("/ledger#rejects")) { "Alle Gründe" } " stehen im Kassenbuch." }
        h2 { "Was macht „Selbst nachprüfen“?" }
        p { "Dein Browser holt den Block, in dem etwas geschah, den Zustand davor und die Regeln, führt ihn noch einmal aus und vergleicht jedes Ergebnis. Er sagt, was geprüft wurde und was nicht." }
        h2 { "Kann ich ohne Konto mitlesen?" }
        p { "Ja. Alle Seiten lassen sich ohne Konto und ohne JavaScript lesen, und jedes Tier, Schlagwort und Konto hat einen Feed für deinen Feedreader: Häng " code { "/feed.atom" } " oder " code { "/feed.json" } " an seine Adresse." }
        h2 { "Auf der Kommandozeile" }
        p { "Alles hier geht auch mit " code { "pitpet" } ", das im selben Paket steckt wie dieser Server; " code { "pitpet --help" } " führt herum." }
    }
}

pub(super) fn privacy() -> Markup {
    html! {
        h1 { "Datenschutz" }
        p.lead { "Was hier gespeichert wird, wie lange, und was Löschen bewirkt." }
        h2 { "Im Kassenbuch, für immer" }
        p { "Dass dein Konto etwas tat, welcher Art, mit welchem Tier und wann; ein Fingerabdruck jedes Fotos und Textes. Ein Konto ist ein zufälliger Schlüssel, kein Mensch. Davon lässt sich nichts wieder herausnehmen, weil alles Spätere darauf ruht." }
        h2 { "Neben dem Kassenbuch, bis es gelöscht wird" }
        ul {
            li { "Texte: Namen, Geschichten, Beiträge, Kommentare und Schlagwörter. Das Kassenbuch hat nur einen gesalzenen Fingerabdruck, aus dem niemand den Text erkennt, wenn Text und Salz gelöscht sind." }
            li { "Fotos. Sie werden neu gemacht, bevor sie dein Gerät verlassen, sodass weder Ort noch Kamera darin stehen." }
            li { "Der Name deines Kontos, falls du einen eingetragen hast (er bleibt deiner und wird nicht wieder vergeben), und Wörter, mit denen öffentliche Beiträge gefunden werden." }
            li { "Falls du ein Passwort gesetzt hast: ein Eintrag, gegen den es sich nur über diesen Server probieren lässt, und der verschlüsselte Tresor, den es öffnet. Keines von beiden verrät das Passwort. Ein neues Passwort ersetzt beide." }
            li { "Dein Profil, falls du eines geschrieben hast. Du ersetzt es selbst; was vorher dort stand, ist weg." }
            li { "Deine Lesezeichen, und wen und was du stummgeschaltet hast: von deinem Browser verschlüsselt, sodass nur du es lesen kannst." }
        }
        h2 { "Eine Zeit lang" }
        ul {
            li { "Warum ein Ereignis abgelehnt wurde: 30 Tage; sein Text: 2 Tage." }
            li { "Meldungen, und wer sie gemacht hat: 90 Tage." }
            li { "Wie viele Anfragen in den letzten Minuten von einer Adresse kamen, um Fluten abzuhalten." }
            li { "Fotos, auf die nichts verweist: einen Tag." }
        }
        h2 { "Nie" }
        p { "Dein Passwort und dein Schlüssel: Sie verlassen dein Gerät nicht. Cookies: Es gibt keine. Diese Seiten laden nichts von anderen und sagen niemandem, dass du hier warst." }
        h2 { "Was Löschen bewirkt" }
        p { "Jeden deiner Texte kannst du auf seiner Seite löschen. Ein gelöschter Text ist weg von Seiten, aus Feeds und Suche, vom Server und aus dem, was andere von da an exportieren können; ebenso die Wörter, mit denen man ihn fand, und was seinen Fingerabdruck lesbar machte. Sein Foto wird nicht mehr gezeigt; die Datei löscht, wer diesen Server betreibt, auf deine Bitte. Dass es einen Text gab, und sein Fingerabdruck, bleiben und mit ihnen jeder Beweis. Niemand kann ihn zurückholen. Wer ihn vorher kopiert hat, hat ihn noch, wie überall." }
        h2 { "Was Verbergen bewirkt" }
        p { "Ein Moderator kann einen Text verbergen, mit einem Grund, den alle lesen können. Er verschwindet dann von Seiten, aus Feeds und Suche, und das signierte Original bleibt, damit jeder die Moderatoren beurteilen kann. Meldungen werden 90 Tage aufgehoben; niemand außer dem Server erfährt, wer was gemeldet hat." }
    }
}
